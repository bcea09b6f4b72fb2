"""What a finished heat map comes to: score of the slide, hot spots and warnings."""

from dataclasses import dataclass
from typing import Any

from model.prediction.cautions import Caution, cautions
from model.prediction.colour_range import ColourRange
from model.prediction.heatmap import Heatmap
from model.prediction.hotspots import (
    RANKING_RULE,
    HotSpots,
    bands,
    find_hotspots,
    score_rule,
    slide_score,
)
from model.prediction.slide import Wsi


@dataclass(frozen=True)
class Findings:
    """Score (None without an analysed cell) with its rule, hot spots, warnings."""

    score: float | None
    score_rule: str
    hotspots: HotSpots
    cautions: tuple[Caution, ...]

    def to_json(self) -> dict[str, Any]:
        """As `python -m model predict` writes them."""
        return {
            "score": self.score,
            "score_rule": self.score_rule,
            "hotspots": {
                "count": self.hotspots.count,
                "ranking": RANKING_RULE,
                "items": [spot.to_json() for spot in self.hotspots.spots],
            },
            "warnings": [caution.to_json() for caution in self.cautions],
        }


def look_at(heatmap: Heatmap, wsi: Wsi | None, colours: ColourRange | None) -> Findings:
    """Findings of a finished heat map; without the slide its colours are not judged.

    Raises SlideUnreadable.
    """
    score = slide_score(bands(heatmap))
    return Findings(
        score=None if score is None else min(score, 1.0),
        score_rule=score_rule(),
        hotspots=find_hotspots(heatmap, wsi.size_l0_px if wsi else None),
        cautions=tuple(cautions(heatmap, heatmap.summary(), wsi, colours)),
    )
