"""GET /healthz: is the database there, does the worker live."""

from datetime import datetime
from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from viewer.db import utc_now
from viewer.records import Worker
from viewer.services import services

bp = Blueprint("health", __name__)

WORKER_SILENT_S = 15  # a worker that did not report for so long is taken for dead


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 while pages can be served, even when the worker is down; 503 without database."""
    try:
        with services().sessions() as session:
            seen_at = session.scalar(select(func.max(Worker.seen_at)))
    except SQLAlchemyError:
        return jsonify(status="degraded", database="unreachable", worker=_worker(None)), 503
    worker = _worker(seen_at)
    status = "ok" if worker["alive"] else "degraded"
    return jsonify(status=status, database="ok", worker=worker)


def _worker(seen_at: datetime | None) -> dict[str, Any]:
    if seen_at is None:
        return {"alive": False, "seen_s_ago": None}
    seen_s_ago = (utc_now() - seen_at).total_seconds()
    return {"alive": seen_s_ago < WORKER_SILENT_S, "seen_s_ago": round(seen_s_ago, 1)}
