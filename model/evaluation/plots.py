"""Which curves the report shows: FROC, ROC, reliability, and the slide scores behind them."""

from collections.abc import Sequence

from markupsafe import Markup

from model.evaluation.cells import ReliabilityBin
from model.evaluation.charts import Axis, Chart, sampled, steps, unit_axis
from model.evaluation.froc import OPERATING_POINTS, FrocCurve
from model.evaluation.metrics import ECE_BINS
from model.evaluation.slide_level import RocCurve, SlideScore

FROC_AXIS = Axis(
    "false positives per slide", 0.125, 16, (0.125, 0.25, 0.5, 1, 2, 4, 8, 16), log2=True
)

Interval = tuple[float, float] | None


def froc_plot(curve: FrocCurve, intervals: Sequence[Interval]) -> Markup:
    """The FROC curve with CAMELYON16's six operating points and their 95 % intervals."""
    chart = Chart(f"FROC curve, score {curve.score:.3f}", FROC_AXIS, unit_axis("lesions found"))
    known = [(x, ci) for x, ci in zip(OPERATING_POINTS, intervals, strict=True) if ci]
    if known:
        chart.band([(x, ci[1]) for x, ci in known], [(x, ci[0]) for x, ci in known], "band")
    chart.line(sampled(curve.sensitivity_at, FROC_AXIS, 141), "curve")
    for x, y in zip(OPERATING_POINTS, curve.sensitivity_at(), strict=True):
        chart.dot((x, float(y)), "point", f"{y:.1%} of lesions at {x:g} false positives per slide")
    return chart.svg()


def roc_plot(curve: RocCurve) -> Markup:
    """The slide-level ROC curve over the diagonal of chance."""
    chart = Chart(
        "ROC curve over slides",
        unit_axis("normal slides called positive"),
        unit_axis("tumour slides called positive"),
    )
    chart.line([(0, 0), (1, 1)], "chance")
    points = zip(curve.false_positive_rate, curve.sensitivity, strict=True)
    chart.line(steps([(float(x), float(y)) for x, y in points]), "curve")
    return chart.svg()


def reliability_plot(bins: Sequence[ReliabilityBin]) -> Markup:
    """What was said against what was, with the share of cells in each bin below."""
    chart = Chart(
        "Reliability of the probabilities",
        unit_axis("probability said"),
        unit_axis("share of tumour found"),
    )
    most = max(each.n for each in bins)
    for each in bins:
        low = int(each.mean_probability * ECE_BINS) / ECE_BINS
        share, title = 0.15 * each.n / most, f"{each.n} cells"
        chart.column(low, low + 1 / ECE_BINS, share, "bar", title)
    chart.line([(0, 0), (1, 1)], "chance")
    chart.line([(each.mean_probability, each.tumour_share) for each in bins], "curve")
    for each in bins:
        title = f"said {each.mean_probability:.2f}, was {each.tumour_share:.2f} ({each.n} cells)"
        chart.dot((each.mean_probability, each.tumour_share), "point", title)
    return chart.svg()


def score_plot(scores: Sequence[SlideScore], threshold: float) -> Markup:
    """Every slide's score, by what the slide is."""
    chart = Chart("Scores of slides", unit_axis("slide score"), Axis("", 0, 2, ()))
    chart.line([(threshold, 0), (threshold, 2)], "chance")
    for height, tumour in ((1.45, True), (0.45, False)):
        row = sorted((each for each in scores if each.tumour is tumour), key=lambda s: s.score)
        for index, each in enumerate(row):
            # Up and down in turn, so that equal scores can be told apart.
            y = height + 0.12 * (0, 1, -1, 2, -2)[index % 5]
            chart.dot(
                (each.score, y),
                "tumour" if tumour else "normal",
                f"{each.slide}: {each.score:.3f}",
                4.5,
            )
        chart.write((0.0, height + 0.42), "tumour slides" if tumour else "normal slides")
    return chart.svg()
