"""A whole slide at once, without the viewer: the loop behind `python -m model predict`."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.prediction.errors import unwritable
from model.prediction.heatmap import Heatmap
from model.prediction.models import Model, load_model
from model.prediction.scoring import prepare, score_chunk
from model.prediction.slide import Mpp

NOTICE = "Research use only. Not for diagnostic procedures."
Progress = Callable[[int, int], None]  # chunks done, chunks planned


@dataclass(frozen=True)
class Prediction:
    """What `predict_slide` made: the heat map, the record beside it, and its contents."""

    heatmap_path: Path
    record_path: Path
    record: dict[str, Any]


def predict_slide(
    slide: Path,
    out: Path,
    model_folder: Path,
    mpp: Mpp | None = None,
    progress: Progress = lambda done, planned: None,
) -> Prediction:
    """Write `out`/<name>.zarr and `out`/<name>.json; chunks that are stored there are kept.

    Raises the errors of `prepare` and `score_chunk`.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(error) from error
    heatmap_path = out / f"{slide.stem}.zarr"
    prepare(slide, model_folder, heatmap_path, mpp)
    heatmap = Heatmap.open(heatmap_path)
    planned, stored = heatmap.planned_chunks(), heatmap.stored_chunks()
    missing = [chunk for chunk in planned if chunk not in stored]
    progress(len(planned) - len(missing), len(planned))
    for left, chunk in zip(reversed(range(len(missing))), missing, strict=True):
        score_chunk(slide, model_folder, heatmap_path, chunk)
        progress(len(planned) - left, len(planned))
    record = _record(slide, heatmap_path, heatmap, load_model(model_folder))
    return Prediction(heatmap_path, _write(out / f"{slide.stem}.json", record), record)


def _record(slide: Path, heatmap_path: Path, heatmap: Heatmap, model: Model) -> dict[str, Any]:
    summary = heatmap.summary()
    return {
        "notice": NOTICE,
        "slide": slide.name,
        "heatmap": heatmap_path.name,
        "result": _in_words(summary, model.threshold),
        "summary": summary,
        "model": {
            "id": model.id,
            "version": model.version,
            "name": model.name,
            "threshold": model.threshold,
            "calibrated": model.calibrated,
            "spacing_um_px": model.spacing_um_px,
        },
        "geometry": heatmap.geometry.to_json(),
    }


def _in_words(summary: dict[str, Any], threshold: float) -> str:
    if not summary["cells_analysed"]:
        return "no tissue found: nothing was analysed"
    return (
        f"{summary['cells_analysed']:,} cells analysed ({summary['analysed_area_mm2']:.2f} mm²); "
        f"highest probability {summary['peak_probability']:.3f}; "
        f"{summary['cells_positive']:,} cells ({summary['positive_area_mm2']:.2f} mm²) "
        f"at or above the model's threshold of {threshold:g}"
    )


def _write(path: Path, record: dict[str, Any]) -> Path:
    part = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        part.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise unwritable(error) from error
    return path
