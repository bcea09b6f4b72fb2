"""/slides/…/report and …/report.pdf: what was seen and decided on one slide."""

from base64 import b64encode

from flask import Blueprint, Response, render_template
from sqlalchemy.orm import Session

from viewer.analyses.heatmaps import open_heatmap
from viewer.analyses.job import heatmap_path
from viewer.readers import current_reader
from viewer.report import wording
from viewer.report.content import MOST_PICTURED_FLAGS, NOTICE, ReportContent, gather
from viewer.report.pdf import render_pdf
from viewer.report.snapshots import Camera, Snapshot
from viewer.services import services
from viewer.slides.library import check_readable, slide_row

bp = Blueprint("report", __name__, url_prefix="/slides/<slide_id:slide_id>")


@bp.get("/report")
def page(slide_id: str) -> Response:
    """The report as a page that prints well, its pictures in it."""
    with services().sessions() as session:
        content = _content(session, slide_id)
        whole, pictures = _pictures(content)
        shown = render_template(
            "report.html",
            content=content,
            words=wording,
            notice=NOTICE,
            verdicts=[wording.verdict_row(verdict) for verdict in content.verdicts],
            hotspots=[wording.hotspot_row(entry) for entry in content.hotspots],
            flags=[wording.flag_row(entry.flag) for entry in content.flags],
            whole=_urls(whole),
            pictures_of={flag_id: _urls(snapshot) for flag_id, snapshot in pictures.items()},
        )
    return _fresh(Response(shown, mimetype="text/html"))


@bp.get("/report.pdf")
def pdf(slide_id: str) -> Response:
    """The same as a PDF."""
    with services().sessions() as session:
        content = _content(session, slide_id)
        body = render_pdf(content, *_pictures(content))
    answer = _fresh(Response(body, mimetype="application/pdf"))
    # By its id: the name of a slide may name a patient, and files get sent around.
    answer.headers["Content-Disposition"] = f'inline; filename="report-{slide_id}.pdf"'
    return answer


def _content(session: Session, slide_id: str) -> ReportContent:
    settings, reader = services().settings, current_reader()
    slide = slide_row(session, settings, slide_id)
    check_readable(slide)
    return gather(session, settings, slide, reader.name if reader else None)


def _pictures(content: ReportContent) -> tuple[Snapshot | None, dict[str, Snapshot]]:
    images, slide = services().images, content.slide
    opened = (
        open_heatmap(heatmap_path(services().settings, content.analysis.id))
        if content.analysis is not None
        else None
    )
    heatmap = opened.heatmap if opened else None
    camera = Camera(images, images.file(slide.id), content.mpp, heatmap)
    whole = None
    if slide.width_px is not None and slide.height_px is not None:
        whole = camera.whole(slide.width_px, slide.height_px)
    flags = [entry.flag for entry in content.flags[:MOST_PICTURED_FLAGS]]
    return whole, {flag["id"]: camera.place(flag["bbox_l0_px"]) for flag in flags}


def _urls(snapshot: Snapshot | None) -> list[str]:
    """As addresses that hold the picture, the tissue first."""
    pictures = [picture for picture in snapshot or () if picture is not None]
    return [f"data:image/jpeg;base64,{b64encode(picture).decode()}" for picture in pictures]


def _fresh(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
