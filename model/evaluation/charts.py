"""The curves of the report as inline SVG: no script, no image, sharp in print."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

WIDTH, HEIGHT = 440, 320
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 46

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """From `low` to `high` with labelled ticks; `log2` spaces powers of two evenly."""

    title: str
    low: float
    high: float
    ticks: Sequence[float]
    log2: bool = False

    def place(self, value: float) -> float:
        """Where a value lies, 0 at `low` and 1 at `high`; values outside lie on the ends."""
        value = min(max(value, self.low), self.high)
        if self.log2:
            return math.log2(value / self.low) / math.log2(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


UNIT_TICKS = (0, 0.2, 0.4, 0.6, 0.8, 1)


def unit_axis(title: str) -> Axis:
    """An axis from 0 to 1."""
    return Axis(title, 0, 1, UNIT_TICKS)


@dataclass
class Chart:
    """Marks over two axes, in data coordinates. Colours are classes of the report's style sheet."""

    label: str  # what the picture shows, for those who cannot see it
    x: Axis
    y: Axis
    marks: list[Markup] = field(default_factory=list)

    def line(self, points: Iterable[Point], css: str) -> None:
        """A line through the points."""
        path = "L".join(f"{self._x(x):.1f} {self._y(y):.1f}" for x, y in points)
        self.marks.append(Markup('<path class="{}" d="M{}"/>').format(css, path))

    def band(self, upper: Sequence[Point], lower: Sequence[Point], css: str) -> None:
        """The area between two lines of points that run the same way."""
        around = [*upper, *reversed(lower)]
        path = "L".join(f"{self._x(x):.1f} {self._y(y):.1f}" for x, y in around)
        self.marks.append(Markup('<path class="{}" d="M{}Z"/>').format(css, path))

    def dot(self, at: Point, css: str, title: str, radius: float = 3.5) -> None:
        """A point whose title shows when it is pointed at."""
        self.marks.append(
            Markup('<circle class="{}" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
                css, f"{self._x(at[0]):.1f}", f"{self._y(at[1]):.1f}", f"{radius:.1f}", title
            )
        )

    def column(self, low: float, high: float, top: float, css: str, title: str) -> None:
        """A bar from the x axis up to `top`, between `low` and `high` on the x axis."""
        left, right = self._x(low) + 0.5, self._x(high) - 0.5
        self.marks.append(
            Markup(
                '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
            ).format(
                css,
                f"{left:.1f}",
                f"{self._y(top):.1f}",
                f"{right - left:.1f}",
                f"{self._y(self.y.low) - self._y(top):.1f}",
                title,
            )
        )

    def write(self, at: Point, text: str) -> None:
        """Words that begin at a point."""
        self.marks.append(_text(self._x(at[0]) + 6, self._y(at[1]), text, "start", "title"))

    def svg(self) -> Markup:
        """The whole chart."""
        return Markup(
            '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
        ).format(WIDTH, HEIGHT, self.label, Markup("").join([*self._frame(), *self.marks]))

    def _x(self, value: float) -> float:
        return LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)

    def _frame(self) -> Iterable[Markup]:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for tick in self.x.ticks:
            at = self._x(tick)
            yield _rule((at, TOP), (at, bottom))
            yield _text(at, bottom + 16, f"{tick:g}", "middle")
        for tick in self.y.ticks:
            at = self._y(tick)
            yield _rule((LEFT, at), (right, at))
            yield _text(LEFT - 8, at + 4, f"{tick:g}", "end")
        yield _text((LEFT + right) / 2, HEIGHT - 8, self.x.title, "middle", "title")
        turned = f"rotate(-90 14 {(TOP + bottom) / 2:.1f})"
        yield _text(14, (TOP + bottom) / 2, self.y.title, "middle", "title", turned)


def steps(points: Sequence[Point]) -> list[Point]:
    """The corners of a stair through the points: each holds until the next one's x."""
    corners = [points[0]]
    for x, y in points[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    return corners


def sampled(curve: Callable[[list[float]], Iterable[float]], axis: Axis, n: int) -> list[Point]:
    """`n` points of a curve, evenly spaced on a log2 axis, where straight lines are bent."""
    ratio = axis.high / axis.low
    xs = [axis.low * ratio ** (i / (n - 1)) for i in range(n)]
    return [(x, float(y)) for x, y in zip(xs, curve(xs), strict=True)]


def _rule(start: Point, end: Point) -> Markup:
    path = f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"
    return Markup('<path class="grid" d="{}"/>').format(path)


def _text(
    x: float, y: float, text: str, anchor: str, css: str = "tick", transform: str = ""
) -> Markup:
    turned = Markup(' transform="{}"').format(transform) if transform else ""
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}"{}>{}</text>').format(
        css, f"{x:.1f}", f"{y:.1f}", anchor, turned, escape(text)
    )
