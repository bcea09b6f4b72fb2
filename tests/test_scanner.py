"""Slides appear, change, move and vanish while the viewer runs."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.slides import make_slide
from viewer.db import utc_now, writing
from viewer.records import Analysis, Slide
from viewer.settings import Settings
from viewer.slides import scanner
from viewer.slides.scanner import scan_once


def names(items) -> list[str]:
    return [item["name"] for item in items]


def by_name(items) -> dict:
    return {item["name"]: item for item in items}


def let_time_pass(sessions) -> None:
    """Make every row look as if it was looked into two minutes ago."""
    with writing(sessions) as session:
        for row in session.scalars(select(Slide)):
            row.probed_at -= timedelta(minutes=2)


def add_analysis(sessions, slide_id: str) -> None:
    with writing(sessions) as session:
        session.add(
            Analysis(
                id="a" * 32,
                slide_id=slide_id,
                model_id="m",
                model_version="1",
                mpp_x=0.25,
                mpp_y=0.25,
                state="cancelled",
                created_at=utc_now(),
            )
        )


def test_slides_appear_in_folders_and_below_them(slide_folder: Path, scan):
    (slide_folder / "2026" / "march").mkdir(parents=True)
    make_slide(slide_folder / "a.tif")
    make_slide(slide_folder / "2026" / "march" / "b.tif", (900, 700))
    assert names(scan()) == ["a.tif", "b.tif"]
    make_slide(slide_folder / "c.tif", (800, 600))
    assert names(scan()) == ["a.tif", "b.tif", "c.tif"]


def test_nothing_is_looked_into_when_nothing_changed(slide_folder, scan, sessions, settings):
    make_slide(slide_folder / "a.tif")
    (slide_folder / "bad.svs").write_bytes(b"")
    scan()
    report = scan_once(sessions, settings)
    assert (report.found, report.read, report.vanished) == (2, 0, 0)


def test_a_vanished_slide_leaves_the_list_and_comes_back_with_its_analyses(
    client, slide_folder: Path, scan, sessions
):
    path = make_slide(slide_folder / "a.tif")
    (before,) = scan()
    add_analysis(sessions, before["id"])
    aside = path.rename(slide_folder.parent / "aside.tif")
    assert scan() == []
    assert client.get(f"/api/v1/slides/{before['id']}").status_code == 404
    aside.rename(path)
    (after,) = scan()
    assert (after["id"], after["state"]) == (before["id"], "cancelled")
    assert after["first_seen_at"] == before["first_seen_at"]


def test_a_moved_and_renamed_slide_keeps_its_id(slide_folder: Path, scan, sessions):
    path = make_slide(slide_folder / "a.tif")
    (before,) = scan()
    add_analysis(sessions, before["id"])
    (slide_folder / "sub").mkdir()
    path.rename(slide_folder / "sub" / "b.tif")
    (after,) = scan()
    assert (after["name"], after["id"], after["state"]) == ("b.tif", before["id"], "cancelled")


def test_a_slide_changed_in_place_is_another_slide(client, slide_folder: Path, scan):
    path = make_slide(slide_folder / "a.tif")
    (before,) = scan()
    make_slide(path, (700, 500))
    (after,) = scan()
    assert after["id"] != before["id"]
    assert (after["width_px"], after["height_px"]) == (700, 500)
    assert client.get(f"/api/v1/slides/{before['id']}").status_code == 404


def test_a_file_touched_without_a_change_keeps_its_id(client, slide_folder: Path, scan):
    path = make_slide(slide_folder / "a.tif")
    (before,) = scan()
    assert client.get(before["thumbnail_url"]).status_code == 200
    os.utime(path, (1, 1))
    (after,) = scan()
    assert after["id"] == before["id"]
    assert client.get(after["thumbnail_url"]).status_code == 200


def test_two_slides_that_change_places_keep_their_ids(slide_folder: Path, scan):
    a = make_slide(slide_folder / "a.tif", (900, 700))
    b = make_slide(slide_folder / "b.tif", (800, 600))
    before = by_name(scan())
    a.rename(slide_folder / "c")
    b.rename(a)
    (slide_folder / "c").rename(b)
    after = by_name(scan())
    assert after["a.tif"]["id"] == before["b.tif"]["id"]
    assert after["b.tif"]["id"] == before["a.tif"]["id"]
    assert after["a.tif"]["problem"] is after["b.tif"]["problem"] is None


def test_a_copy_is_listed_with_the_reason(slide_folder: Path, scan):
    shutil.copy(make_slide(slide_folder / "a.tif"), slide_folder / "b.tif")
    items = by_name(scan())
    assert items["a.tif"]["problem"] is None
    assert items["b.tif"]["state"] == "unreadable"
    assert items["b.tif"]["problem"]["reason"] == "This file has the same content as “a.tif”."
    assert items["b.tif"]["id"] != items["a.tif"]["id"]


@pytest.mark.parametrize("how", ["removed", "changed"])
def test_a_copy_takes_over_when_its_original_goes(slide_folder: Path, scan, sessions, how: str):
    original = make_slide(slide_folder / "a.tif")
    for name in ("b.tif", "c.tif"):
        shutil.copy(original, slide_folder / name)
    before = by_name(scan())
    add_analysis(sessions, before["a.tif"]["id"])
    if how == "removed":
        original.unlink()
    else:
        make_slide(original, (700, 500))
    after = by_name(scan())
    assert after["b.tif"]["id"] == before["a.tif"]["id"]
    assert after["b.tif"]["state"] == "cancelled"
    assert after["c.tif"]["problem"]["reason"] == "This file has the same content as “b.tif”."


def test_a_file_still_being_copied_is_read_when_it_is_complete(slide_folder: Path, scan):
    whole = make_slide(slide_folder / "a.tif").read_bytes()
    (slide_folder / "a.tif").write_bytes(whole[: len(whole) // 2])
    assert [item["state"] for item in scan()] == ["unreadable"]
    (slide_folder / "a.tif").write_bytes(whole)
    assert [item["state"] for item in scan()] == ["unanalysed"]


def test_a_file_written_while_it_is_read_waits_for_the_next_pass(
    slide_folder: Path, scan, monkeypatch
):
    path = make_slide(slide_folder / "a.tif")
    read_file = scanner.read_file

    def read_while_written(found):
        reading = read_file(found)
        with path.open("ab") as file:
            file.write(b"more")
        return reading

    monkeypatch.setattr(scanner, "read_file", read_while_written)
    assert scan() == []
    monkeypatch.setattr(scanner, "read_file", read_file)
    assert names(scan()) == ["a.tif"]


def test_unreadable_rows_keep_their_id_and_are_tried_again(
    slide_folder: Path, scan, sessions, settings
):
    (slide_folder / "link.svs").symlink_to(slide_folder / "later.svs.part")
    (before,) = scan()
    let_time_pass(sessions)
    (after,) = scan()
    assert after["id"] == before["id"]
    assert after["problem"]["reason"] == "This is a link to a file that does not exist."
    make_slide(slide_folder / "later.svs.part")
    let_time_pass(sessions)
    (readable,) = scan()
    assert readable["state"] == "unanalysed"


def test_hidden_files_and_other_files_are_no_slides(slide_folder: Path, scan):
    make_slide(slide_folder / "a.tif")
    make_slide(slide_folder / ".hidden.tif")
    (slide_folder / ".cache").mkdir()
    make_slide(slide_folder / ".cache" / "b.tif")
    (slide_folder / "notes.txt").write_text("hello")
    assert names(scan()) == ["a.tif"]


def test_the_inside_of_a_mirax_slide_is_not_listed(slide_folder: Path, scan):
    (slide_folder / "m.mrxs").write_bytes(b"not a slide")
    (slide_folder / "m").mkdir()
    (slide_folder / "m" / "Slidedat.ini").write_text("[GENERAL]")
    make_slide(slide_folder / "m" / "inside.tif")
    assert names(scan()) == ["m.mrxs"]


def test_a_mirax_slide_is_read_again_when_its_data_changes(slide_folder, scan, sessions, settings):
    (slide_folder / "m.mrxs").write_bytes(b"not a slide")
    (slide_folder / "m").mkdir()
    (slide_folder / "m" / "Slidedat.ini").write_text("[GENERAL]")
    scan()
    (slide_folder / "m" / "Data0000.dat").write_bytes(b"x")
    assert scan_once(sessions, settings).read == 1


def test_a_removed_folder_takes_its_slides_along(slide_folder: Path, scan, client):
    make_slide(slide_folder / "a.tif")
    scan()
    shutil.rmtree(slide_folder)
    assert scan() == []
    (folder,) = client.get("/api/v1/slides").get_json()["folders"]
    assert folder["name"] == "slides"
    assert folder["problem"]["reason"] == "This folder does not exist."
    assert "SENTINODE_SLIDES" in folder["problem"]["hint"]


def test_scanning_is_true_until_the_first_pass_is_complete(client, slide_folder: Path, scan):
    assert client.get("/api/v1/slides").get_json()["scanning"] is True
    scan()
    assert client.get("/api/v1/slides").get_json()["scanning"] is False


def test_several_folders_are_one_library(tmp_path: Path, sessions, settings: Settings):
    folders = (tmp_path / "one", tmp_path / "two")
    for n, folder in enumerate(folders):
        folder.mkdir()
        make_slide(folder / "a.tif", (700 + n, 500))
    both = settings.model_copy(update={"slides": folders})
    assert scan_once(sessions, both).found == 2
    with sessions() as session:
        assert {row.width_px for row in session.scalars(select(Slide))} == {700, 701}


def test_slides_of_a_folder_that_is_not_configured_any_more_are_not_listed(
    client, slide_folder: Path, scan, sessions, settings
):
    make_slide(slide_folder / "a.tif")
    (item,) = scan()
    other = settings.model_copy(update={"slides": (slide_folder.parent,)})
    scan_once(sessions, other)  # the same file, in another folder of the library
    assert client.get("/api/v1/slides").get_json()["items"] == []
    assert client.get(f"/api/v1/slides/{item['id']}").status_code == 404
