"""`python -m model report`: heat maps against masks, as figures, a page and JSON."""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

import click

from model.cli_slides import FOLDER, OUT, SHARE, fail_if

if TYPE_CHECKING:
    from model.evaluation.cases import Case, Rules
    from model.evaluation.figures import Figure
    from model.evaluation.report import Report
    from model.extraction.study import StudySlide

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OPTIONS = (
    click.option("--slides", required=True, type=FOLDER,
                 help="A study (slides/, masks/ or annotations/), or its slides/."),
    click.option("--masks", type=FOLDER,
                 help="The study's masks/ or annotations/; needed where a slide is in both."),
    click.option("--heatmaps", required=True, type=FOLDER,
                 help="Folder of heat maps, one for each slide, from `predict`."),
    click.option("--out", required=True, type=OUT, help="Folder for report.html, report.json and"
                 " detections/."),
    click.option("--patches", type=FILE,
                 help="Patch-level figures of the same model (`evaluate --json`), shown too."),
    click.option("--split", "split_file", type=FILE, help="Judge one part of this split only."),
    click.option("--part", default="test", show_default=True,
                 type=click.Choice(["train", "validation", "test"]), help="Which part."),
    click.option("--normal", "normal_names", multiple=True, default=("normal*",),
                 show_default=True, help="Names of slides without tumour."),
    click.option("--mask-values", default="auto", show_default=True,
                 help="Meaning of mask values, such as 1=tumour,2=normal; auto takes 0/1, 0/255."),
    click.option("--detect", default="peaks", show_default=True,
                 type=click.Choice(["peaks", "regions"]),
                 help="Detections: highest cells, or one for each connected region."),
    click.option("--floor", default=0.1, show_default=True, type=SHARE,
                 help="Lowest probability of a detection."),
    click.option("--radius-um", default=187.0, show_default=True, type=click.FloatRange(0),
                 help="No two peaks are nearer than this."),
    click.option("--top-cells", default=1, show_default=True, type=click.IntRange(1),
                 help="The slide score is the mean of that many highest cells."),
    click.option("--mpp", type=click.FloatRange(0.05, 20),
                 help="Take every slide as of this µm/px when lesions are measured (CAMELYON16's"
                 " own script takes 0.243).  [default: as in the heat map]"),
    click.option("--data", "data_name", default="", help="Name of the data, for the report."),
    click.option("--json", "as_json", is_flag=True, help="Print report.json and nothing else."),
)  # fmt: skip


class Options(TypedDict):
    """Values of OPTIONS."""

    slides: Path
    masks: Path | None
    heatmaps: Path
    out: Path
    patches: Path | None
    split_file: Path | None
    part: Literal["train", "validation", "test"]
    normal_names: tuple[str, ...]
    mask_values: str
    detect: Literal["peaks", "regions"]
    floor: float
    radius_um: float
    top_cells: int
    mpp: float | None
    data_name: str
    as_json: bool


@click.command("report")
def command(**options: Unpack[Options]) -> None:
    """Judge heat maps by the masks of their slides: FROC, ROC-AUC, calibration, pictures."""
    from model.evaluation.patch_figures import read_patch_figures
    from model.evaluation.report import Provenance, make_report, to_json, write_report

    rules = _rules(options)
    cases = _judge(_slides(options), options["heatmaps"], rules)
    patches = None
    if options["patches"]:
        patches = read_patch_figures(options["patches"], cases[0].model.weights_sha256)
    provenance = Provenance(
        data=options["data_name"] or options["slides"].resolve().name,
        split=f"{options['part']} part of {options['split_file'].name}"
        if options["split_file"]
        else "",
        command=shlex.join(["python", "-m", "model", *sys.argv[1:]]),
    )
    report = make_report(cases, rules, provenance, patches)
    write_report(report, options["out"])
    if options["as_json"]:
        click.echo(json.dumps(to_json(report), ensure_ascii=False, indent=1))
    else:
        _print(report, options["out"])


for _option in reversed(OPTIONS):
    command = _option(command)


def _rules(options: Options) -> "Rules":
    from model.evaluation.cases import Rules
    from model.prediction.wsi import Mpp

    mpp = options["mpp"]
    return Rules(
        detect=options["detect"],
        floor=options["floor"],
        silenced_um=options["radius_um"],
        top_cells=options["top_cells"],
        mask_values=options["mask_values"],
        mpp=Mpp(mpp, mpp) if mpp else None,
    )


def _slides(options: Options) -> list["StudySlide"]:
    """The slides to judge, those of one part of a split if one is given."""
    from model.evaluation.inputs import study_of
    from model.extraction.splits import read_split

    slides = study_of(options["slides"], options["masks"], options["normal_names"]).slides
    if options["split_file"] is None:
        return slides
    wanted = set(read_split(options["split_file"]).slides(options["part"]))
    return [slide for slide in slides if slide.name in wanted]


def _judge(slides: list["StudySlide"], heatmaps: Path, rules: "Rules") -> list["Case"]:
    from rich.console import Console
    from rich.progress import track

    from model.evaluation.cases import judge_case
    from model.evaluation.inputs import find_heatmaps
    from model.prediction.errors import PredictionError

    paths = find_heatmaps(heatmaps, slides)
    cases: list[Case] = []
    problems: dict[str, PredictionError] = {}
    for slide in track(slides, "Judging slides", console=Console(stderr=True)):
        try:
            cases.append(judge_case(slide, paths[slide.name], rules))
        except PredictionError as error:  # all problems are told at once, below
            problems[slide.name] = error
    fail_if(problems)
    return cases


def _print(report: "Report", out: Path) -> None:
    from model.evaluation.report import RESEARCH_USE, figures

    click.echo(RESEARCH_USE)
    for name, figure in figures(report).items():
        click.echo(f"{name:14} {_shown(figure)}")
    click.echo(str(out / "report.html"))


def _shown(figure: "Figure") -> str:
    if figure.value is None:
        return f"– ({figure.reason})"
    interval = f" ({figure.ci95[0]:.3f}–{figure.ci95[1]:.3f})" if figure.ci95 else ""
    return f"{figure.value:.3f}{interval}"
