"""The words of reports, for the page and the PDF alike."""

from datetime import datetime
from typing import Any

from viewer.reading.records import Verdict
from viewer.records import Hotspot
from viewer.report.content import MOST_PICTURED_FLAGS, FlagEntry, HotspotEntry, ReportContent
from viewer.tour.records import HotspotReview

VERDICTS = {
    "no_tumour": "No tumour",
    "itc": "Isolated tumour cells",
    "micro": "Micrometastasis",
    "macro": "Macrometastasis",
    "tumour": "Tumour, size not given",
    "unsatisfactory": "Unsatisfactory slide",
}
STATES = {
    "unread": "unread",
    "in_review": "in review",
    "reviewed": "reviewed",
    "second_opinion": "second opinion wanted",
}
SIZE_CLASSES = {
    "macro": "over 2 mm",
    "micro": "over 0.2 mm, up to 2 mm",
    "itc": "up to 0.2 mm",
}
Row = tuple[str, str]


def moment(when: datetime | None) -> str:
    """A time of UTC, to the minute."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else "–"


def slide_rows(content: ReportContent) -> list[Row]:
    """Facts of the slide."""
    slide, mpp = content.slide, content.mpp
    rows = [("Slide", slide.name), ("Slide id", slide.id)]
    if slide.width_px and slide.height_px:
        rows.append(("Pixels", f"{slide.width_px:,} × {slide.height_px:,}".replace(",", " ")))
    if mpp is None:
        rows.append(("Resolution", "unknown: no lengths or areas can be given"))
    else:
        by = f", set by {content.mpp_set_by}" if content.mpp_set_by else ""
        rows.append(("Resolution", f"{mpp.x:.4g} × {mpp.y:.4g} µm/px{by}"))
    rows.append(("Report", f"made {moment(content.made_at)}{_by(content.made_by)}"))
    return rows


def reading_rows(content: ReportContent) -> list[Row]:
    """How far the reading is."""
    reading = content.reading.reading
    rows = [("State", STATES[reading.state])]
    if reading.assignee:
        rows.append(("Assigned to", reading.assignee))
    return rows


def verdict_row(verdict: Verdict) -> tuple[str, str, str, str, str]:
    """Verdict, reader, time, what was to be seen, comment."""
    return (
        VERDICTS[verdict.value],
        verdict.reader,
        moment(verdict.given_at),
        _seen(verdict),
        verdict.comment or "",
    )


def _seen(verdict: Verdict) -> str:
    if verdict.phase == "blind":
        return "blind: before the heat map opened"
    shown = "heat map shown" if verdict.overlay_on else "heat map hidden"
    if verdict.model_id is None:
        return f"{shown}, no analysis"
    limit = f", from {verdict.threshold:.2f}" if verdict.threshold is not None else ""
    return f"{shown}; {verdict.model_id} {verdict.model_version}{limit}"


def model_rows(content: ReportContent) -> list[Row]:
    """What the model is and what it said of the slide as a whole."""
    analysis, model = content.analysis, content.model
    if analysis is None:
        return []
    rows = [("Model", f"{analysis.model_id}, version {analysis.model_version}")]
    if model is None:
        rows.append(("", "This version is not at hand any more; its card cannot be shown."))
    else:
        calibrated = "calibrated" if model.calibrated else "not calibrated: values rank cells only"
        rows += [
            ("Name", model.name),
            ("Trained on", model.training_summary),
            ("Threshold", f"{model.threshold:.3f}"),
            ("Calibration", calibrated),
            ("Weights", f"SHA-256 {model.weights_sha256[:16]}…"),
        ]
    rows.append(("Analysed", moment(analysis.finished_at)))
    if analysis.score is not None:
        rows.append(("Score", f"{analysis.score:.3f} ({analysis.score_rule})"))
    summary: dict[str, Any] = analysis.summary or {}
    for name, key in (("Area analysed", "analysed_area_mm2"), ("Area called", "positive_area_mm2")):
        if summary.get(key) is not None:
            rows.append((name, f"{summary[key]:.3f} mm²"))
    if analysis.hotspots is not None:
        rows.append(("Hot spots", str(analysis.hotspots)))
    return rows


def hotspot_row(entry: HotspotEntry) -> tuple[str, str, str, str, str]:
    """Rank, probability, area, longest diameter with its class, opinions."""
    spot: Hotspot = entry.spot
    longest = f"{spot.longest_um:,.0f} µm ({SIZE_CLASSES[spot.size_class]})".replace(",", " ")
    return (
        str(spot.rank),
        f"{spot.peak_probability:.2f}",
        f"{spot.area_mm2:.3f} mm²",
        longest,
        "; ".join(map(_opinion, entry.reviews)) or "not looked at",
    )


def _opinion(said: HotspotReview) -> str:
    word = {"agree": "agrees", "disagree": "disagrees", None: "saw it"}[said.opinion]
    return f"{said.reader} {word}"


def flag_row(flag: dict[str, Any]) -> tuple[str, str, str, str, str]:
    """Number, label, size, state, who."""
    return (
        str(flag["number"]),
        flag["label"] or flag["kind"],
        flag_size(flag),
        flag["state"],
        f"{flag['created_by']}, {flag['created_at'][:10]}",
    )


def flag_size(flag: dict[str, Any]) -> str:
    """Its area or length, where one is known."""
    if flag["length_um"] is not None:
        return f"{flag['length_um']:,.0f} µm".replace(",", " ")
    return f"{flag['area_mm2']:.3f} mm²" if flag["area_mm2"] is not None else ""


def _by(name: str | None) -> str:
    return f" by {name}" if name else ""


LOCKED = "Closed to the reader who made this report until a first verdict of his or her own."
NO_ANALYSIS = "No analysis of this slide has finished. This says nothing about cancer."
MEASURED = (
    "Regions of cells at or above the threshold. Sizes are measurements on the heat map, "
    "not a diagnosis; a region below the threshold is no proof of absence."
)


def left_out(content: ReportContent) -> list[str]:
    """What the report counts and does not show."""
    listed, texts = len(content.flags), []
    if content.flag_count > listed:
        texts.append(f"The first {listed} of {content.flag_count} flags are listed.")
    if listed > MOST_PICTURED_FLAGS:
        texts.append(f"The first {MOST_PICTURED_FLAGS} flags are pictured.")
    return texts


def flag_title(flag: dict[str, Any]) -> str:
    """Number, label and state of a flag."""
    size = flag_size(flag)
    parts = [f"Flag {flag['number']}", flag["label"] or flag["kind"], size, flag["state"]]
    return " · ".join(part for part in parts if part)


def flag_lines(entry: FlagEntry) -> list[str]:
    """Who set it and why, and what was said of it."""
    flag = entry.flag
    lines = [f"Set by {flag['created_by']}, {flag['created_at'][:16].replace('T', ' ')} UTC"]
    if flag["changed_at"] != flag["created_at"]:
        when = flag["changed_at"][:16].replace("T", " ")
        lines.append(f"Changed by {flag['changed_by']}, {when} UTC")
    if flag["assignee"]:
        lines.append(f"Assigned to {flag['assignee']}")
    if flag["reason"]:
        lines.append(f"Reason: {flag['reason']}")
    lines += [
        f"{comment.created_by}, {moment(comment.created_at)}: {comment.text}"
        for comment in entry.comments
    ]
    return lines
