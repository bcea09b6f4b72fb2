"""What a finished heat map comes to, kept with its analysis: score, hot spots, warnings.

The runner stores it with the end of the analysis. Analyses that ended before it was looked for get
it from an idle worker, or from the first who asks.
"""

import logging
from collections.abc import Collection

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session, sessionmaker

from model.prediction.errors import HeatmapInvalid, SlideUnreadable
from model.prediction.findings import Findings, look_at
from model.prediction.heatmap import Heatmap
from model.prediction.wsi import Wsi, open_wsi
from viewer.analyses import records
from viewer.analyses.catalog import models
from viewer.analyses.job import heatmap_path
from viewer.db import writing
from viewer.errors import HotspotsNotReady, ViewerError
from viewer.records import Analysis, Hotspot
from viewer.settings import Settings
from viewer.slides.files import check_unchanged
from viewer.slides.library import slide_file

log = logging.getLogger(__name__)


def store(session: Session, analysis_id: str, findings: Findings) -> None:
    """Keep the findings, in place of older ones."""
    session.execute(delete(Hotspot).where(Hotspot.analysis_id == analysis_id))
    rows = [{"analysis_id": analysis_id, **s.to_json()} for s in findings.hotspots.spots]
    if rows:
        session.execute(insert(Hotspot), rows)
    session.execute(
        update(Analysis)
        .where(Analysis.id == analysis_id)
        .values(
            score=findings.score,
            score_rule=findings.score_rule,
            hotspots=findings.hotspots.count,
            warnings=[caution.to_json() for caution in findings.cautions],
        )
        .execution_options(synchronize_session=False)
    )


def with_findings(
    sessions: sessionmaker[Session], settings: Settings, analysis_id: str
) -> Analysis:
    """A finished analysis that has its findings; they are looked for now where they lack.

    Raises AnalysisNotFound, HotspotsNotReady, HeatmapInvalid.
    """
    with sessions() as session:
        analysis = records.get_analysis(session, analysis_id)
    if analysis.state != records.DONE:
        raise HotspotsNotReady
    if analysis.warnings is None:
        _look_and_store(sessions, settings, analysis)
        with sessions() as session:
            analysis = records.get_analysis(session, analysis_id)
        if analysis.warnings is None:  # it began anew meanwhile
            raise HotspotsNotReady
    return analysis


def catch_up(
    sessions: sessionmaker[Session], settings: Settings, leave_out: Collection[str]
) -> str | None:
    """Look at one finished analysis that lacks its findings; its id, or None if none lacks them.

    What it raises is told in the log: nobody waits for it, and who opens the slide is told why.
    """
    lacking = select(Analysis).where(
        Analysis.state == records.DONE,
        Analysis.warnings.is_(None),
        Analysis.id.not_in(leave_out),
    )
    with sessions() as session:
        analysis = session.scalar(lacking.order_by(Analysis.created_at.desc()).limit(1))
    if analysis is None:
        return None
    try:
        _look_and_store(sessions, settings, analysis)
    except HeatmapInvalid as error:
        log.warning("Hot spots of analysis %s cannot be found: %s", analysis.id, error)
    return analysis.id


def _look_and_store(
    sessions: sessionmaker[Session], settings: Settings, analysis: Analysis
) -> None:
    findings = _look(sessions, settings, analysis)
    with writing(sessions) as session:
        # Locked: somebody else may have looked at the same time.
        now = session.get_one(Analysis, analysis.id, with_for_update=True, populate_existing=True)
        # Not those of a map that was lost and is computed again by now.
        if now.state == records.DONE:
            store(session, analysis.id, findings)


def _look(sessions: sessionmaker[Session], settings: Settings, analysis: Analysis) -> Findings:
    heatmap = Heatmap.open(heatmap_path(settings, analysis.id))
    listed = models(settings)
    colours = next(
        (
            model.colours
            for model in listed
            if not isinstance(model, tuple)
            and (model.id, model.version) == (analysis.model_id, analysis.model_version)
        ),
        None,
    )
    try:
        with sessions() as session:
            file = slide_file(session, settings, analysis.slide_id)
        check_unchanged(file)
        wsi: Wsi = open_wsi(file.path)
    except (ViewerError, SlideUnreadable):
        return look_at(heatmap, None, None)  # the map is still right; the slide left its folder
    with wsi:
        return look_at(heatmap, wsi, colours)
