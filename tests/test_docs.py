"""What the docs must name: every setting, every route and every command."""

import re
from pathlib import Path

import click
import pytest
from flask import Flask

from model.cli import main as model_commands
from viewer.cli import main as viewer_commands
from viewer.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (PROJECT / "docs").glob("*.md")}
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_documented_in_its_own_words() -> None:
    for name, field in Settings.model_fields.items():
        assert f"`SENTINODE_{name.upper()}`" in DOCS["settings.md"], name
        assert field.description, name
        assert field.description in DOCS["settings.md"], name


def test_no_setting_is_documented_that_is_gone() -> None:
    named = set(re.findall(r"SENTINODE_([A-Z_]+)", "".join(DOCS.values()) + README))
    assert named <= {name.upper() for name in Settings.model_fields}


def test_every_route_is_documented(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        # Converters are left out: <analysis:analysis_id> stands as <analysis_id>.
        address = re.sub(r"<\w+(?:\([^)]*\))?:", "<", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            assert f"`{method} {address}`" in DOCS["api.md"], f"{method} {address}"


@pytest.mark.parametrize(
    ("program", "commands"), [("model", model_commands), ("viewer", viewer_commands)]
)
def test_every_command_is_documented(program: str, commands: click.Group) -> None:
    context = click.Context(commands)
    documents = README + "".join(DOCS.values())
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        assert command is not None
        if not command.hidden:
            assert f"python -m {program} {name}" in documents, name


def test_links_between_documents_lead_somewhere() -> None:
    for name, text in {
        **{f"docs/{name}": text for name, text in DOCS.items()},
        "README.md": README,
    }.items():
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert (PROJECT / name).parent.joinpath(target).exists(), f"{name} → {target}"
