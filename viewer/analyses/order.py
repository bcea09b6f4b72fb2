"""Which part of a slide comes first: what somebody looks at, else outwards from its middle."""

from collections.abc import Collection, Mapping

from model.prediction.heatmap import Chunk, HeatmapGeometry

Point = tuple[float, float]  # level-0 px


def farthest_first(
    chunks: Collection[Chunk], geometry: HeatmapGeometry, focus: Mapping[str, float] | None
) -> list[Chunk]:
    """The chunks by distance to the focus, the nearest at the end, where `pop` takes it.

    Without a focus the middle of the chunks (of the tissue, that is) stands for it.
    """
    middles = {chunk: _middle(chunk, geometry) for chunk in chunks}
    if not middles:
        return []
    x_l0, y_l0 = (focus["x_l0_px"], focus["y_l0_px"]) if focus else _mean(middles.values())

    def distance(chunk: Chunk) -> tuple[float, Chunk]:
        x, y = middles[chunk]
        return (x - x_l0) ** 2 + (y - y_l0) ** 2, chunk

    return sorted(chunks, key=distance, reverse=True)


def _middle(chunk: Chunk, geometry: HeatmapGeometry) -> Point:
    row, column = chunk
    cells = geometry.chunk_cells
    return (
        geometry.origin_l0_x_px + (column + 0.5) * cells * geometry.step_l0_x_px,
        geometry.origin_l0_y_px + (row + 0.5) * cells * geometry.step_l0_y_px,
    )


def _mean(points: Collection[Point]) -> Point:
    xs, ys = zip(*points, strict=True)
    return sum(xs) / len(xs), sum(ys) / len(ys)
