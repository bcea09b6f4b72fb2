"""What the runner has done in other processes; small functions with small arguments."""

from pathlib import Path

from model.prediction import scoring
from model.prediction.findings import Findings, look_at
from model.prediction.heatmap import Chunk, Heatmap
from model.prediction.models import load_model
from model.prediction.wsi import open_wsi
from viewer.slides.files import SlideFile, check_unchanged


def score_missing_chunk(
    slide: SlideFile, model_folder: Path, heatmap_path: Path, chunk: Chunk
) -> None:
    """Score a chunk unless it is stored; raises as `score_chunk`, and SlideChanged.

    A process may die after it stored a chunk and before it said so; Dask then has the chunk run
    again elsewhere. So may a chunk come to its end after its analysis was cancelled and resumed.
    """
    if not scoring.open_heatmap(heatmap_path).is_stored(chunk):
        scoring.score_chunk(
            slide.path, model_folder, heatmap_path, chunk, lambda: check_unchanged(slide)
        )


def look_at_slide(slide: SlideFile, model_folder: Path, heatmap_path: Path) -> Findings:
    """What a heat map that is whole comes to: score, hot spots and warnings.

    Raises SlideUnreadable, HeatmapInvalid, ModelInvalid and SlideChanged.
    """
    colours = load_model(model_folder).colours
    with open_wsi(slide.path) as wsi:
        findings = look_at(Heatmap.open(heatmap_path), wsi, colours)
    check_unchanged(slide)
    return findings
