"""`python -m model study`: the whole line on phantoms, by the very commands that real data take."""

import json
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import click

Words = list[str]
STEPS_FOLDER = "steps"
HARD_SHARE = 0.3  # of the normal patches of an epoch, in the second round


@dataclass(frozen=True)
class Scale:
    """How large a study is. Fractions are those of train, validation and test."""

    slides: int
    slide_px: int
    stride_px: int
    patches_per_class: int  # of one slide, at most
    fractions: tuple[str, str, str]
    training: str  # TOML


# Two threads: the study is to end within ten minutes on two cores.
FULL = Scale(
    slides=12,
    slide_px=6144,
    stride_px=48,
    patches_per_class=200,
    fractions=("0.4", "0.25", "0.35"),
    training="threads = 2\nepochs = 4\nbatch_patches = 24\naveraging_decay = 0.98\n",
)
SMALL = Scale(
    slides=9,
    slide_px=3072,
    stride_px=32,
    patches_per_class=60,
    fractions=("0.34", "0.33", "0.33"),
    training='epochs = 3\nbatch_patches = 16\naveraging_decay = 0.9\nfreeze = "body"\n',
)


@click.command("study")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path),
    help="Folder for everything; finished steps that are there are kept.",
)  # fmt: skip
@click.option("--small", is_flag=True, help="Smaller slides, fewer patches: about a minute.")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0), help="Of the slides.")
@click.option(
    "--outlines", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Zip of CAMELYON16 lesion outlines as JSON; without it outlines are drawn.",
)  # fmt: skip
@click.option(
    "--mine", is_flag=True,
    help="Then a second round: mine hard negatives, train again, predict and report again.",
)  # fmt: skip
def command(out: Path, small: bool, seed: int, outlines: Path | None, mine: bool) -> None:
    """Draw phantoms, find patches, train, calibrate, predict and report. Figures prove no accuracy.

    Every command is printed as it runs; on real slides the same commands do the same.
    """
    started_s = time.monotonic()
    scale = SMALL if small else FULL
    rounds = [steps(out, scale, seed, outlines), *([second_round(out, scale)] if mine else [])]
    for number, words in enumerate(chain.from_iterable(rounds), 1):
        _run(out / STEPS_FOLDER / f"{number:02d}-{words[0]}.json", words)
    click.echo(f"{time.monotonic() - started_s:.0f} s")
    click.echo(str(out / ("report-2" if mine else "report")))


def steps(out: Path, scale: Scale, seed: int, outlines: Path | None) -> Iterator[Words]:
    """The commands in order, without `python -m model`; each once those before have run."""
    study, patches = out / "study", out / "patches"
    drawn = ["phantom", "--out", study, "--count", scale.slides, "--size-px", scale.slide_px]
    yield _words(*drawn, "--seed", seed, *(("--outlines", outlines) if outlines else ()))
    yield _words(
        *("patches", study, "--out", patches, "--label", "centre", "--stride-px", scale.stride_px),
        *("--max-per-class", scale.patches_per_class, "--fractions", *scale.fractions, "--pack"),
    )
    yield from _judged(out, patches / "manifest.parquet", _config(out, scale))


def second_round(out: Path, scale: Scale) -> Iterator[Words]:
    """What follows: false positives on training slides become hard patches of another training."""
    study, patches, seen = out / "study", out / "patches", out / "heatmaps-train"
    for slide in _slides(study, patches / "split.json", "train"):
        yield _words("predict", slide, "--out", seen, "--model", out / "calibrated")
    data = ("--split", patches / "split.json", "--manifest", patches / "manifest.parquet")
    mined = patches / "manifest-2.parquet"
    yield _words("mine", "--heatmaps", seen, "--study", study, *data, "--out", mined)
    yield from _judged(out, mined, _config(out, scale, "-2"), "-2")


def _judged(out: Path, manifest: Path, config: Path, suffix: str = "") -> Iterator[Words]:
    """From a manifest to a report on the test part."""
    study, split = out / "study", out / "patches" / "split.json"
    model, calibrated = out / f"model{suffix}", out / f"calibrated{suffix}"
    heatmaps, data = out / f"heatmaps{suffix}", ("--manifest", manifest, "--split", split)
    yield _words("train", *data, "--out", model, "--config", config)
    yield _words("calibrate", *data, "--model", model, "--out", calibrated)
    for slide in _slides(study, split, "test"):
        yield _words("predict", slide, "--out", heatmaps, "--model", calibrated)
    yield _words(
        *("report", "--slides", study, "--heatmaps", heatmaps, "--split", split),
        *("--out", out / f"report{suffix}", "--data", "phantoms (drawings)"),
    )


def _words(*words: object) -> Words:
    return [str(word) for word in words]


def _config(out: Path, scale: Scale, suffix: str = "") -> Path:
    from model.extraction.files import write_text

    path = out / f"training{suffix}.toml"
    text = f'id = "phantom-study{suffix}"\nname = "Trained on drawings"\n' + scale.training
    if suffix:
        text += f"\n[balance]\nhard_share = {HARD_SHARE}\n"
    write_text(path, text)
    return path


def _slides(study: Path, split: Path, part: Literal["train", "test"]) -> list[Path]:
    from model.extraction.splits import read_split
    from model.extraction.study import find_slides

    slides = find_slides(study)
    return [slides[name] for name in read_split(split).slides(part)]


def _run(record: Path, words: Words) -> None:
    """Run one command unless its record says that it has been run to its end."""
    from model.cli import main
    from model.extraction.files import write_text

    shown = shlex.join(["python", "-m", "model", *words])
    if record.is_file():
        if json.loads(record.read_text(encoding="utf-8")) != words:
            raise click.ClickException(
                f"'{record.parent.parent.name}' holds another study. Name another --out, or delete"
                " that folder."
            )
        click.echo(f"# done before: {shown}")
        return
    click.echo(f"$ {shown}")
    if words[0] == "calibrate":
        # A copy without a record: killed in between. The command itself never replaces one.
        shutil.rmtree(words[-1], ignore_errors=True)
    sys.argv = ["model", *words]  # what a report names as the command that made it
    main.main(words, prog_name="python -m model", standalone_mode=False)
    write_text(record, json.dumps(words) + "\n")
