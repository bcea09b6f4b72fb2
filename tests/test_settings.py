import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from viewer.settings import Settings


def test_every_setting_has_a_help_text():
    without = [name for name, field in Settings.model_fields.items() if not field.description]
    assert without == []


def test_several_slide_folders_come_from_one_variable(monkeypatch, tmp_path: Path):
    folders = [tmp_path / "a", tmp_path / "with blank"]
    monkeypatch.setenv("SENTINODE_SLIDES", os.pathsep.join(map(str, [*folders, folders[0]])))
    assert Settings().slides == tuple(folders)


def test_no_slide_folder_is_no_error(monkeypatch):
    monkeypatch.setenv("SENTINODE_SLIDES", "")
    assert Settings().slides == ()


def test_relative_folders_become_absolute(monkeypatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    settings = Settings(slides=(Path("x"),), data=Path("y"))
    assert settings.slides == (tmp_path / "x",)
    assert settings.database_url == f"sqlite:///{tmp_path / 'y' / 'sentinode.sqlite3'}"


def test_trusted_hosts_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("SENTINODE_TRUSTED_HOSTS", "slides.example.org, .lab.example.org")
    assert Settings().trusted_hosts == ("slides.example.org", ".lab.example.org")


def test_the_password_of_the_database_is_not_shown(monkeypatch):
    monkeypatch.setenv("SENTINODE_DATABASE", "postgresql://sentinode:geheim@db/sentinode")
    settings = Settings()
    assert "geheim" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert settings.database_url.endswith(":geheim@db/sentinode")


@pytest.mark.parametrize(("name", "value"), [("PORT", "99999"), ("JPEG_QUALITY", "0")])
def test_impossible_values_are_refused(monkeypatch, name, value):
    monkeypatch.setenv(f"SENTINODE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_it_listens_on_this_machine_only_by_default():
    assert Settings().host == "127.0.0.1"
