"""Slides by id, for the parts of the viewer that work on their files."""

from pathlib import Path

import pytest

from model.prediction.errors import SlideUnreadable
from tests.slides import make_slide, make_svs
from viewer.errors import SlideChanged, SlideNotFound
from viewer.slides.fingerprint import content_id
from viewer.slides.library import slide_file, slide_path, slide_row


def test_the_path_of_a_slide(slide_folder: Path, scan, sessions, settings):
    path = make_slide(slide_folder / "a.tif")
    (item,) = scan()
    with sessions() as session:
        assert slide_path(session, settings, item["id"]) == path
        assert slide_file(session, settings, item["id"]).width_px == item["width_px"]
        assert slide_row(session, settings, item["id"]).name == "a.tif"


def test_an_unknown_id_is_not_found(sessions, settings):
    with sessions() as session, pytest.raises(SlideNotFound):
        slide_path(session, settings, "0" * 20)


def test_an_unreadable_slide_has_a_row_and_no_path(slide_folder, scan, sessions, settings):
    (slide_folder / "bad.svs").write_bytes(b"")
    (item,) = scan()
    with sessions() as session:
        assert slide_row(session, settings, item["id"]).problem_reason
        with pytest.raises(SlideUnreadable, match="empty"):
            slide_path(session, settings, item["id"])


def test_a_file_changed_since_the_last_scan_has_no_path(slide_folder, scan, sessions, settings):
    path = make_slide(slide_folder / "a.tif")
    (item,) = scan()
    make_slide(path, (700, 500))
    with sessions() as session, pytest.raises(SlideChanged):
        slide_path(session, settings, item["id"])


def test_a_vanished_slide_is_not_found(slide_folder, scan, sessions, settings):
    path = make_slide(slide_folder / "a.tif")
    (item,) = scan()
    path.unlink()
    scan()
    with sessions() as session, pytest.raises(SlideNotFound):
        slide_row(session, settings, item["id"])


def test_ids_follow_the_content_alone(tmp_path: Path):
    a = make_svs(tmp_path / "a.svs")
    copy = tmp_path / "renamed.svs"
    copy.write_bytes(a.read_bytes())
    assert content_id(a) == content_id(copy)
    assert len(content_id(a)) == 20


@pytest.mark.parametrize("size", [0, 1, 4096, 600_000, 5_000_000])
def test_ids_tell_contents_apart_at_both_ends_and_by_size(tmp_path: Path, size: int):
    path = tmp_path / "a.svs"
    path.write_bytes(bytes(size))
    ids = {content_id(path)}
    path.write_bytes(bytes(size + 1))
    ids.add(content_id(path))
    for place in {0, size}:
        data = bytearray(size + 1)
        data[place] = 1
        path.write_bytes(data)
        ids.add(content_id(path))
    assert len(ids) == (3 if size == 0 else 4)
