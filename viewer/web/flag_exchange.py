"""Flags and heat maps as files of other programs, and flags from such files."""

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request, send_file, stream_with_context
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from model.prediction.wsi import Mpp, open_wsi
from viewer.analyses import records
from viewer.db import writing
from viewer.errors import Conflict
from viewer.flags import asap, csv_table, geojson, heatmap_export, history, importing, queries
from viewer.flags.errors import ImportRefused
from viewer.flags.geometry import Extent
from viewer.flags.records import Flag
from viewer.readers import require_reader
from viewer.records import Analysis, Slide
from viewer.services import services
from viewer.slides.library import effective_mpp, slide_path
from viewer.web.analyses import ANALYSIS, find_heatmap
from viewer.web.flags import FLAGS, labels, readable_slide
from viewer.web.openapi import describe
from viewer.web.requests import read_query
from viewer.web.schemas_flags import ImportJson, ImportQuery, PlaneQuery, TilesQuery

bp = Blueprint("flag_exchange", __name__, url_prefix="/api/v1")

TAG = "Files"
TIFF = "image/tiff"


class HeatmapUnfinished(Conflict):
    """A heat map is exported in whole or not at all."""

    code = "heatmap_unfinished"


@bp.get(f"{FLAGS}.geojson")
@describe(tag=TAG, query=PlaneQuery, media_type=geojson.MEDIA_TYPE)
def as_geojson(slide_id: str) -> ResponseReturnValue:
    """The flags as GeoJSON that QuPath opens; coordinates count from the slide's bounds.

    `plane=scan` counts them from the corner of the whole scan, for programs that do not crop.
    """
    slide, _, offset = _slide_and_plane(slide_id, "bounds")
    return _stream(
        slide,
        "geojson",
        geojson.MEDIA_TYPE,
        lambda flags: geojson.write(flags, labels(), slide.name, offset),
    )


@bp.get(f"{FLAGS}.xml")
@describe(tag=TAG, query=PlaneQuery, media_type=asap.MEDIA_TYPE)
def as_asap(slide_id: str) -> ResponseReturnValue:
    """The flags as ASAP's XML; coordinates count from the corner of the whole scan, as ASAP's."""
    slide, _, offset = _slide_and_plane(slide_id, "scan")
    with services().sessions() as session:
        used = [
            label
            for label in session.scalars(
                select(Flag.label).where(Flag.slide_id == slide_id, ~Flag.deleted).distinct()
            )
            if label is not None
        ]
    return _stream(
        slide,
        "xml",
        asap.MEDIA_TYPE,
        lambda flags: asap.write(flags, labels(), sorted(used), offset),
    )


@bp.get(f"{FLAGS}.csv")
@describe(tag=TAG, media_type=csv_table.MEDIA_TYPE)
def as_csv(slide_id: str) -> ResponseReturnValue:
    """The flags as a table."""
    slide, mpp, _ = _slide_and_plane(slide_id, None)
    return _stream(slide, "csv", csv_table.MEDIA_TYPE, lambda flags: csv_table.write(flags, mpp))


@bp.post(f"{FLAGS}/import")
@describe(tag=TAG, query=ImportQuery, response=ImportJson, errors=(ImportRefused,))
def take(slide_id: str) -> ResponseReturnValue:
    """Take the flags of a file (GeoJSON, ASAP XML or CSV): all of them, or none.

    The body is the file itself. `plane` is that of its coordinates; without it ASAP's count from
    the corner of the whole scan and all others from the slide's bounds. A flag that was exported
    from here is changed by its own file, unless somebody changed it meanwhile: then the file's
    becomes a copy.
    """
    request.max_content_length = importing.MOST_BYTES
    query, reader = read_query(ImportQuery), require_reader()
    content = request.get_data(cache=False)
    default = "scan" if importing.format_of(content) == "xml" else "bounds"
    slide, _, offset = _slide_and_plane(slide_id, query.plane or default)
    skip = query.skip_problems
    file = importing.read(content, history.extent_of(slide), offset, labels(), skip_problems=skip)
    with writing(services().sessions) as session:
        report = importing.take(session, slide_id, file, reader.name)
    return jsonify(report)


@bp.get(f"{ANALYSIS}/heatmap.geojson")
@describe(tag=TAG, query=TilesQuery, media_type=geojson.MEDIA_TYPE, errors=(HeatmapUnfinished,))
def heatmap_geojson(analysis_id: str) -> ResponseReturnValue:
    """The cells of a heat map as locked tiles with their probability, in WSInfer's form."""
    query = read_query(TilesQuery)
    analysis, opened = find_heatmap(analysis_id)
    slide = _slide_of_finished(analysis)
    lines = heatmap_export.geojson_tiles(opened.heatmap, slide.name, query.minimum)
    return _file(_encoded(lines), slide, "heatmap.geojson", geojson.MEDIA_TYPE)


@bp.get(f"{ANALYSIS}/heatmap.tif")
@describe(tag=TAG, query=PlaneQuery, media_type=TIFF, errors=(HeatmapUnfinished,))
def heatmap_tiff(analysis_id: str) -> ResponseReturnValue:
    """The heat map as a pyramidal TIFF over the slide, for ASAP and QuPath.

    8-bit grey: 0 = not analysed, 1–255 = probability (v − 1) / 254. `plane=scan` covers the whole
    scan instead of its bounds, as ASAP shows it.
    """
    analysis, opened = find_heatmap(analysis_id)
    slide = _slide_of_finished(analysis)
    _, _, offset = _slide_and_plane(slide.id, "bounds")
    extent = history.extent_of(slide)
    file = BytesIO()  # a byte or less for each cell
    plane = Extent(extent.width_px + offset[0], extent.height_px + offset[1])
    heatmap_export.write_tiff(file, opened.heatmap, plane, offset)
    file.seek(0)
    name = f"{_stem(slide)}-heatmap.tif"
    return send_file(file, TIFF, as_attachment=True, download_name=name, max_age=0)


def _slide_of_finished(analysis: Analysis) -> Slide:
    if analysis.state != records.DONE:
        raise HeatmapUnfinished(
            "The heat map is not finished.", "Wait for the end of the analysis, or continue it."
        )
    with services().sessions() as session:
        return readable_slide(session, analysis.slide_id)


def _slide_and_plane(
    slide_id: str, default: str | None
) -> tuple[Slide, Mpp | None, tuple[int, int]]:
    """The slide, its resolution, and where its bounds begin in the plane asked for."""
    plane = read_query(PlaneQuery).plane if request.method == "GET" else None
    with services().sessions() as session:
        slide = readable_slide(session, slide_id)
        mpp, _ = effective_mpp(session, slide_id)
        if (plane or default) != "scan":
            return slide, mpp, (0, 0)
        path = slide_path(session, services().settings, slide_id)
    wsi = open_wsi(path)
    try:
        return slide, mpp, wsi.bounds_offset_l0_px
    finally:
        wsi.close()


def _stream(
    slide: Slide,
    ending: str,
    media_type: str,
    write: Callable[[Iterable[Flag]], Iterator[str]],
) -> Response:
    def lines() -> Iterator[str]:
        with services().sessions() as session:
            yield from write(queries.every_flag(session, slide.id, queries.Filter()))

    return _file(_encoded(lines()), slide, f"flags.{ending}", media_type)


def _encoded(lines: Iterable[str]) -> Iterator[bytes]:
    """In pieces worth sending."""
    kept: list[str] = []
    size = 0
    for line in lines:
        kept.append(line)
        size += len(line)
        if size > 1 << 16:
            yield "".join(kept).encode()
            kept, size = [], 0
    yield "".join(kept).encode()


def _file(body: Iterator[bytes], slide: Slide, what: str, media_type: str) -> Response:
    answer = Response(stream_with_context(body), mimetype=media_type)
    name = quote(f"{_stem(slide)}-{what}")
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _stem(slide: Slide) -> str:
    return slide.name.rpartition(".")[0] or slide.name
