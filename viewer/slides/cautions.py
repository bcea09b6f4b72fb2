"""What is not quite right with a slide, each with a code to filter by."""

from typing import Any

from viewer.analyses.records import FAILED
from viewer.slides.library import resolution_of
from viewer.slides.listing import Listed

UNCALIBRATED = "The resolution of this slide is unknown; it is shown in pixels."
UNCALIBRATED_HINT = "Set how many µm a pixel covers."


def cautions(listed: Listed) -> list[dict[str, Any]]:
    """The warnings of a slide: `{"code", "text", "hint"}`, the gravest first."""
    slide, found = listed.slide, []
    if slide.problem_reason is not None:
        return [_caution("unreadable", slide.problem_reason, slide.problem_hint)]
    if listed.analysis is not None and listed.analysis.state == FAILED:
        error = listed.analysis.error or {}
        found.append(_caution("analysis_failed", error.get("reason", ""), error.get("hint")))
    if resolution_of(slide, listed.resolution)[0] is None:
        found.append(_caution("uncalibrated", UNCALIBRATED, UNCALIBRATED_HINT))
    found += [_caution("display", text, None) for text in slide.warnings]
    if listed.finished is not None and not listed.reading.locked:
        found += [
            _caution(each["code"], each["text"], each.get("hint"))
            for each in listed.finished.warnings or []
        ]
    return found


def _caution(code: str, text: str, hint: str | None) -> dict[str, Any]:
    return {"code": code, "text": text, "hint": hint}
