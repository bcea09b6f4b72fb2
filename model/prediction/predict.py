"""A whole slide at once, without the viewer: the loop behind `python -m model predict`."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from model.prediction.engine import threads
from model.prediction.errors import HeatmapInvalid, unwritable
from model.prediction.findings import look_at
from model.prediction.heatmap import Chunk, Heatmap
from model.prediction.models import Model, load_model
from model.prediction.scoring import prepare, score_chunk
from model.prediction.slide import Mpp
from model.prediction.wsi import open_wsi

NOTICE = "Research use only. Not for diagnostic procedures."
Progress = Callable[[int, int], None]  # chunks done, chunks planned

# Beside the arrays of a heat map: which slide's content it was made of.
MARK_FILE = "slide.sha256"
MARK_END_BYTES = 256 * 1024


@dataclass(frozen=True)
class Prediction:
    """What `predict_slide` made: the heat map, the record beside it, and its contents."""

    heatmap_path: Path
    record_path: Path
    record: dict[str, Any]

    @property
    def engine(self) -> str:
        """What computed the heat map."""
        return str(self.record["geometry"]["engine"])


def predict_slide(
    slide: Path,
    out: Path,
    model_folder: Path,
    mpp: Mpp | None = None,
    progress: Progress = lambda done, planned: None,
    engine: str | None = None,
) -> Prediction:
    """Write `out`/<name>.zarr and `out`/<name>.json; chunks that are stored there are kept.

    `engine` is one of engine.CHOICES; every core is used (OMP_NUM_THREADS of them, if set). Raises
    the errors of `prepare` and `score_chunk`, and HeatmapInvalid for a heat map that is there of
    another slide.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(error) from error
    heatmap_path = out / f"{slide.stem}.zarr"
    prepare(slide, model_folder, heatmap_path, mpp, engine)
    heatmap = Heatmap.open(heatmap_path)
    _check_slide(heatmap, heatmap_path, slide)
    planned, stored = heatmap.planned_chunks(), heatmap.stored_chunks()
    missing = [chunk for chunk in planned if chunk not in stored]
    progress(len(planned) - len(missing), len(planned))
    score = partial(score_chunk, slide, model_folder, heatmap_path)
    for done, _ in enumerate(_side_by_side(score, missing), len(planned) - len(missing) + 1):
        progress(done, len(planned))
    model = load_model(model_folder)
    with open_wsi(slide) as wsi:
        findings = look_at(heatmap, wsi, model.colours)
    record = _record(slide, heatmap_path, heatmap, model) | findings.to_json()
    return Prediction(heatmap_path, _write(out / f"{slide.stem}.json", record), record)


def _side_by_side(score: Callable[[Chunk], None], chunks: list[Chunk]) -> Iterator[Future[None]]:
    """Each chunk's score as it is done; one more at once than there are cores, which reads ahead.

    Ends with the first error, without those not yet begun.
    """
    with ThreadPoolExecutor(threads() + 1) as pool:
        futures = [pool.submit(score, chunk) for chunk in chunks]
        try:
            for future in as_completed(futures):
                future.result()
                yield future
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _check_slide(heatmap: Heatmap, heatmap_path: Path, slide: Path) -> None:
    """A map of another file of the same name and size must not be gone on with."""
    mark, content = heatmap_path / MARK_FILE, _content(slide)
    if not mark.exists() and not heatmap.stored_chunks():
        _write_whole(mark, content)
    if not mark.exists() or mark.read_text(encoding="utf-8") != content:
        raise HeatmapInvalid(
            "The heat map there is of another slide of the same name.",
            "Choose another folder, or delete that heat map first.",
        )


def _content(slide: Path) -> str:
    """A digest of the slide: size and both ends, which hold the directories of its tiles."""
    digest = sha256()
    for part in _parts(slide):
        size_bytes = part.stat().st_size
        digest.update(size_bytes.to_bytes(8, "little"))
        with part.open("rb") as file:
            digest.update(file.read(MARK_END_BYTES))
            file.seek(max(0, size_bytes - MARK_END_BYTES))
            digest.update(file.read(MARK_END_BYTES))
    return digest.hexdigest()


def _parts(slide: Path) -> Iterator[Path]:
    yield slide
    index = slide.with_suffix("") / "Slidedat.ini"  # of a MIRAX slide, whose own file is a preview
    if index.is_file():
        yield index


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
    return _write_whole(path, json.dumps(record, ensure_ascii=False, indent=2) + "\n")


def _write_whole(path: Path, text: str) -> Path:
    part = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise unwritable(error) from error
    return path
