"""What an analysis needs from the rest of Sentinode: slide, model, resolution, place to store."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy.orm import Session

from model.prediction.errors import HeatmapUnwritable, ModelInvalid
from model.prediction.models import Model
from model.prediction.wsi import Mpp
from viewer.analyses.catalog import find_model
from viewer.analyses.records import get_analysis
from viewer.settings import Settings
from viewer.slides.files import SlideFile, check_unchanged
from viewer.slides.library import slide_file

MIN_FREE_BYTES = 64 * 2**20  # the database needs some of it too


@dataclass(frozen=True)
class Job:
    """One analysis, ready to be carried out."""

    slide: SlideFile
    model: Model
    mpp: Mpp
    heatmap_path: Path

    def check_slide(self) -> None:
        """Raise SlideChanged when the file is no longer the one to be analysed."""
        check_unchanged(self.slide)


def heatmap_path(settings: Settings, analysis_id: str) -> Path:
    """Where the heat map of an analysis lies, or will."""
    return settings.heatmaps / f"{analysis_id}.zarr"


def load_job(session: Session, settings: Settings, analysis_id: str) -> Job:
    """Find what the analysis needs; raise a ViewerError or PredictionError that says what lacks."""
    analysis = get_analysis(session, analysis_id)
    model = find_model(settings, analysis.model_id)
    if model.version != analysis.model_version:
        raise ModelInvalid(
            f"Model “{model.name}” is version {model.version} now, not {analysis.model_version}.",
            "Start a new analysis of this slide.",
        )
    job = Job(
        slide=slide_file(session, settings, analysis.slide_id),
        model=model,
        mpp=Mpp(analysis.mpp_x, analysis.mpp_y),
        heatmap_path=heatmap_path(settings, analysis_id),
    )
    job.check_slide()
    return job


def make_room(settings: Settings) -> None:
    """Make the folder of the heat maps; raise HeatmapUnwritable when its disk is full."""
    settings.heatmaps.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(settings.heatmaps).free < MIN_FREE_BYTES:
        raise HeatmapUnwritable(
            "The disk that holds the heat maps is full.", "Free some space, then start it again."
        )


def discard(heatmap: Path) -> None:
    """Remove a heat map; its place is free at once, even where a part cannot be removed."""
    aside = heatmap.with_name(f".{heatmap.name}.{uuid4().hex}.partial")
    heatmap.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
