"""What a report is made from: a study's slides and masks, and a folder of heat maps."""

from collections.abc import Sequence
from pathlib import Path

from model.evaluation.errors import EvaluationInvalid
from model.extraction.study import Source, Study, StudySlide, open_study


def study_of(slides: Path, masks: Path | None, normal_names: Sequence[str]) -> Study:
    """The study that `slides` is, or lies in; raise StudyInvalid or EvaluationInvalid."""
    folder = slides.parent if slides.name == "slides" else slides
    return open_study(folder, normal_names, _source(folder, masks) if masks else None)


def find_heatmaps(folder: Path, slides: Sequence[StudySlide]) -> dict[str, Path]:
    """The heat map of every slide by its name, as predict names them; raise EvaluationInvalid."""
    if not slides:
        raise EvaluationInvalid("There is no slide to evaluate.", "Look at the split.")
    # predict takes one ending off a file's name, a study takes off both of .ome.tif.
    choices = {
        slide.name: (folder / f"{slide.name}.zarr", folder / f"{slide.path.stem}.zarr")
        for slide in slides
    }
    found = {name: next((p for p in paths if p.is_dir()), None) for name, paths in choices.items()}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise EvaluationInvalid(
            f"{len(missing)} of {len(slides)} slides have no heat map in '{folder.name}':"
            f" {', '.join(missing[:5])}{more}.",
            f"Run predict on them; a heat map is named {missing[0]}.zarr.",
        )
    return {name: path for name, path in found.items() if path is not None}


def _source(folder: Path, masks: Path) -> Source:
    sources: tuple[Source, ...] = ("masks", "annotations")
    for source in sources:
        if masks.resolve() == (folder / source).resolve():
            return source
    raise EvaluationInvalid(
        f"'{masks.name}' is not the masks/ or annotations/ beside the slides.",
        "Put slides/ and masks/ (or annotations/) into one folder; links will do.",
    )
