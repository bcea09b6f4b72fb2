"""The laboratory's own labels."""

import json

import pytest
from pydantic import ValidationError

from viewer.flags.labels import DEFAULTS, load_labels
from viewer.settings import Settings

TOML = """
[[labels]]
name = "Metastasis"
colour = "#C80000"
key = "m"
reason_required = true
aliases = ["Tumor", "_0"]

[[labels]]
name = "Lymphoid follicle"
colour = "#00ff00"
mark = "LF"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "labels.toml"
    path.write_text(TOML)
    return path


def test_a_file_of_labels_is_read(file):
    labels = load_labels(file)
    assert [label.shown_mark for label in labels.labels] == ["M", "LF"]
    assert labels.labels[0].rgb == (200, 0, 0)
    assert labels.resolve("TUMOR") is labels.labels[0]
    assert labels.resolve("stroma") is None


def test_json_says_the_same(file, tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"labels": [{"name": "A", "colour": "#010203"}]}))
    assert load_labels(path).labels[0].shown_mark == "A"


def test_a_label_may_want_a_reason(file, tmp_path, slide_folder):
    from tests.flags import Flagged
    from tests.slides import make_slide
    from viewer import create_app
    from viewer.migrations import migrate
    from viewer.services import EXTENSION
    from viewer.slides.scanner import scan_once

    make_slide(slide_folder / "a.tif", (1000, 800), level_factors=(1,))
    app = create_app(Settings(slides=(slide_folder,), data=tmp_path / "data", labels=file))
    services = app.extensions[EXTENSION]
    migrate(services.engine)
    scan_once(services.sessions, services.settings)
    client = app.test_client()
    flagged = Flagged(client, client.get("/api/v1/slides").get_json()["items"][0]["id"])
    answer = flagged.post(label="Metastasis")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "reason_missing")
    assert flagged.create(label="Metastasis", reason="mitoses")["reason"] == "mitoses"
    services.images.close()
    services.engine.dispose()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("labels = 3", "labels"),
        ("[[labels]]\nname='A'\ncolour='red'", "colour"),
        ("[[labels]]\nname='A'\ncolour='#000000'\nkey='F'", "another use"),
        ("[[labels]]\nname='A'\ncolour='#000000'\n" * 2, "two labels have the name 'A'"),
        ("[[labels", "neither TOML nor JSON"),
    ],
)
def test_a_wrong_file_stops_the_start_with_a_sentence(tmp_path, text, what):
    path = tmp_path / "labels.toml"
    path.write_text(text)
    with pytest.raises(ValidationError, match=what):
        Settings(labels=path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ValidationError, match="cannot be read"):
        Settings(labels=tmp_path / "none.toml")


def test_default_colours_are_qupaths():
    rgb = {label.name: label.rgb for label in DEFAULTS.labels}
    assert rgb["Tumor"] == (200, 0, 0)
    assert rgb["Stroma"] == (150, 200, 150)
    assert rgb["Other"] == (255, 200, 0)
