"""Hot spots: the connected regions of a heat map at or above the model's threshold, measured.

Sizes are those of the region on the map, not of a lesion under the microscope: a cell speaks of
the tissue around its middle, and regions end with whole cells. The size classes take the limits by
which metastases are reported (0.2 and 2 mm); they name a length and are no diagnosis.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from model.prediction.heatmap import Heatmap, HeatmapGeometry
from model.prediction.regions import Region, ranked_regions

Probabilities = NDArray[np.float32]
SizeClass = Literal["macro", "micro", "itc"]

MACRO_UM, MICRO_UM = 2000.0, 200.0
MOST_SPOTS = 1000  # more than anybody will look at; all are counted
BAND_ROWS = 256
SCORE_TOP_CELLS = 1
RANKING_RULE = (
    "highest probability first, to two decimals; among equals the larger area, then in reading"
    " order"
)


@dataclass(frozen=True)
class HotSpot:
    """A region of the heat map in level-0 pixels and µm; `rank` counts from 1."""

    rank: int
    peak_probability: float
    mean_probability: float
    area_mm2: float
    longest_um: float
    size_class: SizeClass
    x_l0_px: float  # middle of the highest cell
    y_l0_px: float
    bbox_l0_px: tuple[float, float, float, float]  # left, top, right, bottom

    def to_json(self) -> dict[str, Any]:
        """Names and values, as JSON can hold them."""
        return asdict(self) | {"bbox_l0_px": list(self.bbox_l0_px)}


@dataclass(frozen=True)
class HotSpots:
    """The first spots of a map by rank, and how many there are in all."""

    spots: tuple[HotSpot, ...]
    count: int


def find_hotspots(
    heatmap: Heatmap, size_l0_px: tuple[int, int] | None = None, most: int = MOST_SPOTS
) -> HotSpots:
    """Hot spots ranked by RANKING_RULE; with the slide's (width, height) none reaches beyond it."""
    geometry = heatmap.geometry
    regions, count = ranked_regions(bands(heatmap), geometry.threshold, most)
    spots = (_spot(rank, each, geometry, size_l0_px) for rank, each in enumerate(regions, 1))
    return HotSpots(tuple(spots), count)


def bands(heatmap: Heatmap, rows: int = BAND_ROWS) -> Iterator[Probabilities]:
    """The probabilities of a heat map, some rows at a time."""
    geometry = heatmap.geometry
    # Whole chunks, so that each is read once.
    step = max(1, rows // geometry.chunk_cells) * geometry.chunk_cells
    for top in range(0, geometry.rows, step):
        yield heatmap.probabilities(top, min(top + step, geometry.rows), 0, geometry.columns)


def size_class(longest_um: float) -> SizeClass:
    """Above 2 mm macro, above 0.2 mm micro, else as isolated tumour cells (itc)."""
    if longest_um > MACRO_UM:
        return "macro"
    return "micro" if longest_um > MICRO_UM else "itc"


def longest_um(region: Region, cell_um: tuple[float, float]) -> float:
    """Greatest distance (µm) between outer corners of a region's cells, which are (x, y) µm."""
    row, first, last = region.extents.T
    x = np.concatenate([first, first, last + 1, last + 1]) * cell_um[0]
    y = np.concatenate([row, row + 1, row, row + 1]) * cell_um[1]
    corners = np.stack([x, y], axis=1)
    return float(pdist(corners[ConvexHull(corners).vertices]).max())


def slide_score(bands: Iterable[Probabilities], top_cells: int = SCORE_TOP_CELLS) -> float | None:
    """Mean of the `top_cells` highest analysed cells (1: the maximum); None where there is none."""
    highest = np.empty(0, np.float32)
    for band in bands:
        values = np.concatenate([highest, band[~np.isnan(band)]])
        highest = np.sort(values)[-top_cells:]
    return float(highest.mean()) if highest.size else None


def score_rule(top_cells: int = SCORE_TOP_CELLS) -> str:
    """How `slide_score` comes about, in words."""
    if top_cells == 1:
        return "highest probability of any analysed cell"
    return f"mean of the {top_cells} highest cells"


def _spot(
    rank: int, region: Region, geometry: HeatmapGeometry, size_l0_px: tuple[int, int] | None
) -> HotSpot:
    step_x, step_y = geometry.step_l0_x_px, geometry.step_l0_y_px
    left, top = geometry.origin_l0_x_px, geometry.origin_l0_y_px
    width, height = size_l0_px or (float("inf"), float("inf"))
    longest = longest_um(region, (step_x * geometry.mpp_x, step_y * geometry.mpp_y))
    row, column = region.peak_cell
    return HotSpot(
        rank=rank,
        peak_probability=region.peak,
        mean_probability=region.total / region.cells,
        area_mm2=region.cells * geometry.cell_area_mm2,
        longest_um=longest,
        size_class=size_class(longest),
        x_l0_px=min(left + (column + 0.5) * step_x, width - 1),
        y_l0_px=min(top + (row + 0.5) * step_y, height - 1),
        bbox_l0_px=(
            left + int(region.extents[:, 1].min()) * step_x,
            top + int(region.extents[0, 0]) * step_y,
            min(left + (int(region.extents[:, 2].max()) + 1) * step_x, width),
            min(top + (int(region.extents[-1, 0]) + 1) * step_y, height),
        ),
    )
