from pathlib import Path

from tests.slides import make_slide


def test_a_slide_is_listed_with_its_size_and_resolution(client, slide_folder: Path, scan):
    make_slide(slide_folder / "a.tif", (1500, 1100), mpp=(0.25, 0.5), tile_px=512)
    (item,) = scan()
    assert (item["name"], item["width_px"], item["height_px"]) == ("a.tif", 1500, 1100)
