"""What the runner has done in other processes; small functions with small arguments."""

from pathlib import Path

from model.prediction import scoring
from model.prediction.heatmap import Chunk
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
