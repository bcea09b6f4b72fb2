"""Where the cells of a heat map lie on a slide, and what made them."""

from dataclasses import MISSING, asdict, dataclass, field, fields
from math import ceil
from typing import Any, Self

from pydantic import ValidationError

from model.prediction.engine import TORCH
from model.prediction.errors import HeatmapInvalid
from model.prediction.stain import Stain, stain_from_json

UM2_PER_MM2 = 1e6


@dataclass(frozen=True)
class HeatmapGeometry:
    """Cell (row i, column j) covers `step` level-0 pixels from `origin` + (j, i) × `step` on."""

    columns: int
    rows: int
    origin_l0_x_px: float
    origin_l0_y_px: float
    step_l0_x_px: float
    step_l0_y_px: float
    chunk_cells: int  # cells along a side of a chunk: the unit of work and of storage
    mpp_x: float  # µm per level-0 pixel, as used
    mpp_y: float
    model_id: str
    model_version: str
    weights_sha256: str
    threshold: float
    temperature: float | None
    calibrated: bool
    model_mpp: float  # what the model was trained on
    min_tissue_share: float  # cells with less tissue are not analysed
    level: int | None  # the slide's level that was read as it is; None: resampled to model_mpp
    stain: Stain | None = None  # the model's
    # The slide's, found once for all chunks; None: colours stay. No part of what is asked for.
    slide_stain: Stain | None = field(default=None, compare=False)
    # What computes the probabilities, as engine.py names it: a map is never made by two.
    engine: str = TORCH
    sees_surroundings: bool = False  # whether the net sees beyond patches (network_dense.py)

    @property
    def chunk_rows(self) -> int:
        """Rows of chunks."""
        return ceil(self.rows / self.chunk_cells)

    @property
    def chunk_columns(self) -> int:
        """Columns of chunks."""
        return ceil(self.columns / self.chunk_cells)

    @property
    def cell_area_mm2(self) -> float:
        """Tissue that one cell covers."""
        width_um, height_um = self.step_l0_x_px * self.mpp_x, self.step_l0_y_px * self.mpp_y
        return width_um * height_um / UM2_PER_MM2

    def chunk_cells_range(self, chunk: tuple[int, int]) -> tuple[int, int, int, int]:
        """First and last (excluded) row, first and last (excluded) column of a chunk."""
        side = self.chunk_cells
        row, column = chunk[0] * side, chunk[1] * side
        return row, min(row + side, self.rows), column, min(column + side, self.columns)

    def to_json(self) -> dict[str, Any]:
        """Names and values, as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The geometry that `to_json` gave; raises HeatmapInvalid if a value is missing."""
        try:
            # Maps older than a field with a default lack it.
            names = [f.name for f in fields(cls) if f.default is MISSING or f.name in values]
            stains = {
                name: stain_from_json(values[name]) for name in names if name.endswith("stain")
            }
            return cls(**{name: values[name] for name in names} | stains)
        except ValidationError as error:
            raise HeatmapInvalid(
                "The heat map's stain is damaged.", "Analyse the slide again."
            ) from error
        except (KeyError, TypeError) as error:
            raise HeatmapInvalid(
                f"The heat map lacks {error} in its geometry.", "Analyse the slide again."
            ) from error
