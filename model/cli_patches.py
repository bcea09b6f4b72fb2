"""`python -m model patches`: from slides and masks to a manifest and a split."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import click

from model.cli_slides import FOLDER, OUT, SHARE, fail_if, said, slide_options

if TYPE_CHECKING:
    from model.extraction.extract import Extracted, ExtractSettings
    from model.extraction.study import Study

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PIXELS = click.IntRange(1, 4096)
OPTIONS = (
    click.option("--out", required=True, type=OUT, help="Folder for manifest, split, previews."),
    click.option("--mpp", type=click.FloatRange(0.05, 20), help="µm/px of the patches (or --level)."
                 "  [default: 0.97]"),
    click.option("--level", type=click.IntRange(0), help="Level of each slide's own pyramid."),
    click.option("--size-px", default=96, show_default=True, type=PIXELS, help="Side of a patch."),
    click.option("--stride-px", type=PIXELS, help="From patch to patch.  [default: --size-px]"),
    click.option("--min-tissue", default=0.10, show_default=True, type=SHARE,
                 help="Patches with a smaller share of tissue do not count."),
    click.option("--label", default="any", show_default=True,
                 type=click.Choice(["any", "centre", "share"]),
                 help="Label 1: any tumour pixel in the patch, any in its middle third"
                 " (PatchCamelyon), or at least --min-tumour of it."),
    click.option("--min-tumour", default=0.5, show_default=True, type=SHARE,
                 help="Share of tumour for --label share."),
    click.option("--max-per-class", type=click.IntRange(1),
                 help="Patches of each label from a slide, at most."),
    click.option("--mask-values", default="auto", show_default=True,
                 help="Meaning of mask values, such as 1=tumour,2=normal; auto takes 0/1, 0/255."),
    click.option("--group", "groups", multiple=True,
                 help="Meaning of an annotation group besides CAMELYON's: NAME=tumour, =normal or"
                 " =ignored."),
    click.option("--lesions", "source", type=click.Choice(["masks", "annotations"]),
                 help="Which to use where a slide has both."),
    click.option("--normal", "normal_names", multiple=True, default=("normal*",),
                 show_default=True, help="Names of slides without tumour."),
    click.option("--split", "split_file", type=FILE, help="A split to use (JSON or CSV)."),
    click.option("--fractions", nargs=3, type=SHARE, default=(0.7, 0.15, 0.15),
                 show_default=True, help="Train, validation and test of a new split."),
    click.option("--no-split", is_flag=True, help="Make no split."),
    click.option("--seed", default=0, show_default=True, type=click.IntRange(0),
                 help="Of every random choice."),
    click.option("--pack", is_flag=True, help="Also store the pixels, for faster training."),
    click.option("--skip-unusable", is_flag=True,
                 help="Go on without slides that cannot be used."),
    click.option("--again", is_flag=True, help="Begin anew, also with other settings."),
    click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON."),
)  # fmt: skip


class Options(TypedDict):
    """Values of OPTIONS and of the options on slides."""

    mpp: float | None
    level: int | None
    size_px: int
    stride_px: int | None
    min_tissue: float
    label: Literal["any", "centre", "share"]
    min_tumour: float
    max_per_class: int | None
    mask_values: str
    groups: tuple[str, ...]
    source: Literal["masks", "annotations"] | None
    normal_names: tuple[str, ...]
    split_file: Path | None
    fractions: tuple[float, float, float]
    no_split: bool
    seed: int
    pack: bool
    skip_unusable: bool
    again: bool
    as_json: bool
    tissue_method: Literal["saturation", "grey"]
    min_slide_tissue: float
    slide_mpp: float | None


def all_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options, in the order of the list."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command("patches")
@click.argument("study_folder", metavar="STUDY", type=FOLDER)
@all_options
@slide_options
def command(study_folder: Path, out: Path, **options: Unpack[Options]) -> None:
    """Find the patches of all slides in STUDY, which holds slides/ and masks/ or annotations/.

    No pixels are copied unless asked for: a manifest says where each patch lies. Slides done before
    are not done again.
    """
    from model.extraction.extract import extract, merge
    from model.extraction.progress import bars, counting
    from model.extraction.study import open_study

    settings = _settings(options)
    study = open_study(study_folder, options["normal_names"], options["source"])
    with bars() as progress:
        done = extract(
            study, out, settings,
            lambda name, windows: counting(progress, name, windows), options["again"],
        )  # fmt: skip
    _say(study, done)
    if not options["skip_unusable"]:
        fail_if(done.problems)
    manifest = merge(study, out, settings, done)
    parts = None if options["no_split"] else _split(out, done, options)
    if options["pack"]:
        _pack(manifest, out)
    figures = _figures(done, parts)
    click.echo(json.dumps(figures) if options["as_json"] else _summary(figures))


def _settings(options: Options) -> "ExtractSettings":
    from model.extraction.extract import ExtractSettings
    from model.extraction.mask_values import MaskValues
    from model.extraction.patches import PatchSettings
    from model.extraction.slide_tissue import TissueSettings
    from model.extraction.splits import check_fractions

    # What is wrong here is said now, not after hours of work.
    check_fractions(options["fractions"])
    MaskValues(options["mask_values"])
    if options["mpp"] is not None and options["level"] is not None:
        raise click.UsageError("Give --mpp or --level, not both.")
    mpp = None if options["level"] is not None else options["mpp"] or 0.97
    patches = PatchSettings(
        size_px=options["size_px"],
        stride_px=options["stride_px"] or options["size_px"],
        mpp=mpp,
        level=options["level"],
        min_tissue_share=options["min_tissue"],
        label_rule=options["label"],
        min_tumour_share=options["min_tumour"],
        max_per_class=options["max_per_class"],
        seed=options["seed"],
    )
    tissue = TissueSettings(
        options["tissue_method"], options["min_slide_tissue"], options["slide_mpp"]
    )
    return ExtractSettings(patches, tissue, options["mask_values"], _groups(options["groups"]))


def _groups(entries: Sequence[str]) -> dict[str, Any]:
    from model.extraction.annotations import CAMELYON_GROUPS

    groups = dict(CAMELYON_GROUPS)
    for entry in entries:
        name, _, meaning = entry.rpartition("=")
        if meaning not in ("tumour", "normal", "ignored") or not name:
            raise click.UsageError(f"--group {entry}: write NAME=tumour, =normal or =ignored.")
        groups[name] = meaning  # type: ignore[assignment] # one of the three, as just checked
    return groups


def _say(study: "Study", done: "Extracted") -> None:
    """What the user should know of single slides, on stderr."""
    if done.kept:
        click.echo(f"{done.kept} slides were done before and are kept.", err=True)
    if study.unused:
        click.echo(f"Without a slide, so not used: {', '.join(study.unused)}", err=True)
    for name, slide in done.slides.items():
        if slide["left_out"]:
            click.echo(f"{name}: left out, {slide['left_out']}.", err=True)
    for name, error in done.problems.items():
        click.echo(f"{name}: {error}", err=True)


def _split(out: Path, done: "Extracted", options: Options) -> dict[str, dict[str, int]]:
    """Use the split given, else the one in `out`, else make one; figures of each part."""
    from model.extraction.splits import (
        check_classes,
        check_split,
        make_split,
        read_split,
        write_split,
    )

    used = {
        name: slide
        for name, slide in done.slides.items()
        if slide["positives"] + slide["negatives"]
    }
    path = out / "split.json"
    given = options["split_file"] or (path if path.is_file() and not options["again"] else None)
    if given:
        split = read_split(given)
    else:
        positive = [name for name, slide in used.items() if slide["positives"]]
        patients = {name: slide["patient"] for name, slide in used.items()}
        split = make_split(patients, positive, options["seed"], options["fractions"])
    check_split(split, {name: slide["patient"] for name, slide in done.slides.items()}, used)
    figures = check_classes(split, done.slides)
    write_split(path, split)
    return figures


def _pack(manifest_path: Path, out: Path) -> None:
    from model.extraction.manifest import read_manifest
    from model.extraction.patch_reader import PatchReader
    from model.extraction.progress import bars, counting

    manifest = read_manifest(manifest_path)
    reader = PatchReader(manifest, manifest.slide_files())
    with bars() as progress:
        reader.pack(out / "pixels", counting(progress, "Storing pixels", len(manifest)))
    reader.close()


def _figures(done: "Extracted", parts: dict[str, dict[str, int]] | None) -> dict[str, Any]:
    return {
        "slides": done.slides,
        "left_out": {
            name: slide["left_out"] for name, slide in done.slides.items() if slide["left_out"]
        },
        "problems": said(done.problems),
        "positives": sum(slide["positives"] for slide in done.slides.values()),
        "negatives": sum(slide["negatives"] for slide in done.slides.values()),
        "split": parts,
    }


def _summary(figures: dict[str, Any]) -> str:
    lines = [
        f"{len(figures['slides'])} slides, {len(figures['left_out'])} left out:"
        f" {figures['positives']} patches with tumour, {figures['negatives']} without."
    ]
    for part, counts in (figures["split"] or {}).items():
        lines.append(
            f"{part}: {counts['slides']} slides, {counts['positives']} with tumour,"
            f" {counts['negatives']} without"
        )
    return "\n".join(lines)
