"""`python -m model tissue`: where is tissue, how much of it, and which slides have too little?"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.progress import Progress

from model.cli_slides import FOLDER, OUT, fail_if, said, slide_options

if TYPE_CHECKING:
    from model.extraction.slide_tissue import TissueSettings
    from model.prediction.errors import PredictionError


@click.command("tissue")
@click.argument("slides", type=FOLDER)
@click.option("--out", required=True, type=OUT, help="Folder for the previews and the figures.")
@slide_options
@click.option("--again", is_flag=True, help="Begin anew, also with other settings.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    slides: Path,
    out: Path,
    tissue_method: Literal["saturation", "grey"],
    min_slide_tissue: float,
    slide_mpp: float | None,
    again: bool,
    as_json: bool,
) -> None:
    """Find the tissue of every slide in SLIDES (or its folder slides/), and draw it.

    Slides done before are not done again.
    """
    from model.extraction.progress import bars
    from model.extraction.runs import claim_folder
    from model.extraction.slide_tissue import TissueSettings
    from model.extraction.study import find_slides

    settings = TissueSettings(tissue_method, min_slide_tissue, slide_mpp)
    claim_folder(out, asdict(settings), again)
    with bars() as progress:
        found, problems = _all(list(find_slides(slides).values()), out, settings, again, progress)
    left_out = {name: figures["left_out"] for name, figures in found.items() if figures["left_out"]}
    if as_json:
        click.echo(json.dumps({"slides": found, "left_out": left_out, "problems": said(problems)}))
    else:
        for name, figures in found.items():
            click.echo(_line(name, figures))
    fail_if(problems)


def _all(
    paths: list[Path], out: Path, settings: "TissueSettings", again: bool, progress: Progress
) -> tuple[dict[str, dict[str, Any]], dict[str, "PredictionError"]]:
    """Figures of each slide, and the problem of each that could not be used."""
    from model.extraction.errors import WriteFailed
    from model.extraction.progress import counting
    from model.prediction.errors import PredictionError

    found: dict[str, dict[str, Any]] = {}
    problems: dict[str, PredictionError] = {}
    advance = counting(progress, "Finding tissue", len(paths))
    for path in paths:
        try:
            found[path.stem] = _one(path, out, settings, again)
        except WriteFailed:
            raise
        except PredictionError as error:
            problems[path.stem] = error
        advance(1)
    return found, problems


def _one(path: Path, out: Path, settings: "TissueSettings", again: bool) -> dict[str, Any]:
    """Figures of a slide, from an earlier run if it is unchanged since."""
    from model.extraction.files import write_text
    from model.extraction.preview import write_preview
    from model.extraction.runs import fingerprint
    from model.extraction.slide_tissue import find_tissue
    from model.prediction.wsi import open_wsi

    record = out / "slides" / f"{path.stem}.json"
    if record.is_file() and not again:
        known: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        if known["fingerprint"] == fingerprint(path):
            figures: dict[str, Any] = known["figures"]
            return figures
    with open_wsi(path) as wsi:
        tissue = find_tissue(wsi, settings)
        write_preview(out / "previews" / f"{path.stem}.png", wsi, tissue.mask, None)
    figures = tissue.to_json()
    write_text(record, json.dumps({"fingerprint": fingerprint(path), "figures": figures}) + "\n")
    return figures


def _line(name: str, figures: dict[str, Any]) -> str:
    line = f"{name}: {figures['tissue_share']:.1%} tissue, {figures['tissue_mm2']:.1f} mm²"
    return f"{line}; left out, {figures['left_out']}" if figures["left_out"] else line
