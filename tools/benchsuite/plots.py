"""Draws charts as SVG that follows the reader's light or dark scheme.

Matplotlib writes fixed colours. Charts are therefore drawn in stand-ins, which become CSS variables
in the finished text."""
from __future__ import annotations

import hashlib
import io
import math
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from benchsuite.results import Histogram
from benchsuite.units import bytes_text, number_text, setting_text, time_text, without_zeros

SERIES_MAX = 6
_STAND_INS = {f"#00000{number}": f"s{number}" for number in range(1, SERIES_MAX + 1)}
_INK, _SOFT, _GRID = "#0000a1", "#0000a2", "#0000a3"
_STAND_INS.update({_INK: "ink", _SOFT: "soft", _GRID: "grid"})
_WIDTH, _HEIGHT = 400, 310
_MARKERS = ("o", "s", "^", "D", "v", "P")

LIGHT = {"s1": "#2266cc", "s2": "#c2561a", "s3": "#1d8a5b", "s4": "#a03c96", "s5": "#8a6d00",
         "s6": "#5d6b7a", "ink": "#1b2330", "soft": "#5b6675", "grid": "#dfe4ea",
         "page": "#fbfcfd", "card": "#ffffff", "good": "#18794e", "bad": "#b3261e"}
DARK = {"s1": "#78aeff", "s2": "#ff9a62", "s3": "#5fd1a0", "s4": "#e08bd6", "s5": "#dcbf4d",
        "s6": "#a3b1c2", "ink": "#e7ecf2", "soft": "#9ba8b7", "grid": "#2c3643",
        "page": "#12171e", "card": "#19202a", "good": "#5fd1a0", "bad": "#ff8d84"}


class Unit(Enum):
    """Of an axis."""

    COUNT = "count"
    NANOSECONDS = "ns"
    BYTES = "bytes"

    def text(self, value: float) -> str:
        if self is Unit.NANOSECONDS:
            return time_text(value)
        return bytes_text(value) if self is Unit.BYTES else number_text(value)


@dataclass(frozen=True)
class Series:
    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chart:
    """Lines over a logarithmic x."""

    key: str                    # of its file
    title: str
    x_label: str
    series: tuple[Series, ...]
    y_unit: Unit = Unit.COUNT
    y_log: bool = True
    note: str = ""


@dataclass(frozen=True)
class PercentileChart:
    """Latency against percentile, the tail stretched."""

    key: str
    title: str
    curves: tuple[tuple[str, Histogram], ...]
    note: str = ""


@dataclass(frozen=True)
class BarChart:
    """One bar for each name."""

    key: str
    title: str
    bars: tuple[tuple[str, float], ...]
    unit: Unit = Unit.COUNT
    note: str = field(default="")


AnyChart = Chart | PercentileChart | BarChart


def css_variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def stand_alone(svg: str) -> str:
    """With its colours, for a file of its own."""
    style = (f"<style>:root{{{css_variables(LIGHT)}}}@media (prefers-color-scheme:dark)"
             f"{{:root{{{css_variables(DARK)}}}}}svg{{background:var(--card)}}"
             "path{stroke-linejoin:round}</style>")
    return svg.replace(">", f">{style}", 1)


def tail_position(percent: float) -> float:
    """Where a percentile stands on an axis that gives each further nine the same room."""
    return -math.log10(max(1e-9, 1 - percent / 100))


def percentile_points(histogram: Histogram) -> list[tuple[float, float]]:
    """Position on the axis and nanoseconds, from p0 to the last percentile that the number of
    samples supports."""
    points = []
    below = 0
    last = tail_position(100 * (1 - 1 / (histogram.count + 1)))
    for upper, count in histogram.buckets:
        value = max(1.0, float(min(upper, histogram.maximum)))
        points.append((tail_position(100 * below / histogram.count), value))
        below += count
    points.append((last, max(1.0, float(histogram.maximum))))
    return points


def _clean(svg: str, title: str) -> str:
    """The bare <svg> element: no prolog, no metadata, no ids that nothing refers to."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    # It would hold for the whole page.
    svg = re.sub(r'<style type="text/css">.*?</style>', "", svg, flags=re.DOTALL)
    svg = re.sub(r"<defs>\s*</defs>|<g/>", "", svg)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt" ', "", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?) ?height="[\d.]+pt"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?) ?width="[\d.]+pt"', r"\1", svg, count=1)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"',
                 lambda found: found.group(0) if found.group(1) in used else "", svg)
    svg = re.sub(r"font: ([\w ]*?)([\d.]+px) [^;\"]+", r"font: \1\2 system-ui, sans-serif", svg)
    for colour, name in _STAND_INS.items():
        svg = svg.replace(colour, f"var(--{name})")
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    svg = re.sub(r"\n\s*", "\n", svg)
    svg = re.sub(r"(?<=[a-z\d]) \n", "\n", svg)
    label = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


class Painter:
    """Draws with matplotlib, which is imported only when there is something to draw."""

    def __init__(self) -> None:
        import matplotlib

        matplotlib.use("svg")
        from matplotlib import pyplot, ticker

        self._library = matplotlib
        self._pyplot = pyplot
        self._ticker = ticker

    def svg(self, chart: AnyChart) -> str:
        settings = {"svg.fonttype": "none", "font.size": 11.5, "axes.edgecolor": _GRID,
                    "svg.hashsalt": hashlib.sha1(chart.key.encode()).hexdigest(),
                    "text.color": _INK, "axes.labelcolor": _SOFT, "xtick.color": _SOFT,
                    "ytick.color": _SOFT, "axes.spines.top": False, "axes.spines.right": False,
                    "axes.spines.left": False, "axes.linewidth": 1.0, "axes.unicode_minus": False,
                    "path.simplify": True, "path.simplify_threshold": 0.3}
        with self._library.rc_context(settings):
            figure, axes = self._pyplot.subplots(figsize=(_WIDTH / 72, _HEIGHT / 72))
            try:
                bottom, labels = self._fill(axes, chart), self._labels(chart)
                self._head(figure, chart.title, labels, isinstance(chart, Chart))
                rows = self._rows(labels)
                figure.subplots_adjust(left=0.15, right=0.955, bottom=bottom,
                                       top=0.875 - 0.062 * rows)
                out = io.StringIO()
                figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
            finally:
                self._pyplot.close(figure)
        return _clean(out.getvalue(), chart.title)

    @staticmethod
    def _labels(chart: AnyChart) -> list[str]:
        if isinstance(chart, Chart):
            return [series.label for series in chart.series if series.label]
        return [label for label, _ in chart.curves] if isinstance(chart, PercentileChart) else []

    @staticmethod
    def _rows(labels: list[str]) -> int:
        """Of the legend, three entries in each, or two where they are long."""
        if not labels:
            return 0
        each = 3 if max(len(label) for label in labels) <= 14 else 2
        return math.ceil(len(labels) / each)

    def _head(self, figure: Any, title: str, labels: list[str], marked: bool) -> None:
        figure.text(0.015, 0.94, title, fontsize=13, fontweight="bold", color=_INK)
        if not labels:
            return
        each = 3 if max(len(label) for label in labels) <= 14 else 2
        step = 0.98 / each
        for number, label in enumerate(labels):
            left = 0.02 + step * (number % each)
            height = 0.872 - 0.062 * (number // each)
            figure.add_artist(self._library.lines.Line2D(
                [left, left + 0.04], [height + 0.014] * 2, linewidth=2.2, color=_colour(number),
                marker=_MARKERS[number] if marked else None, markersize=5,
                markeredgewidth=0))
            figure.text(left + 0.055, height, label, fontsize=11.5, color=_INK)

    def _fill(self, axes: Any, chart: AnyChart) -> float:
        """Draws the data; the share of the height that the x axis needs."""
        axes.grid(True, axis="y", color=_GRID, linewidth=1)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, pad=5)
        if isinstance(chart, BarChart):
            return self._fill_bars(axes, chart)
        if isinstance(chart, PercentileChart):
            self._fill_percentiles(axes, chart)
        else:
            self._fill_lines(axes, chart)
        axes.yaxis.set_minor_formatter(self._ticker.NullFormatter())
        return 0.145

    def _fill_percentiles(self, axes: Any, chart: PercentileChart) -> None:
        furthest = 2.0
        for number, (_, histogram) in enumerate(chart.curves):
            points = percentile_points(histogram)
            furthest = max(furthest, points[-1][0])
            axes.plot([x for x, _ in points], [y for _, y in points], color=_colour(number),
                      linewidth=2.0, solid_joinstyle="round")
        ticks = [percent for percent in (0, 50, 90, 99, 99.9, 99.99, 99.999)
                 if tail_position(percent) <= furthest + 0.05]
        axes.set_xticks([tail_position(percent) for percent in ticks],
                        [f"{percent:g}" for percent in ticks])
        axes.set_xlim(0, furthest + 0.03)
        axes.set_xlabel("percentile")
        self._logarithmic(axes, Unit.NANOSECONDS,
                          [value for _, histogram in chart.curves
                           for _, value in percentile_points(histogram)])

    def _fill_lines(self, axes: Any, chart: Chart) -> None:
        for number, series in enumerate(chart.series):
            axes.plot([x for x, _ in series.points], [y for _, y in series.points],
                      color=_colour(number), linewidth=2.0, marker=_MARKERS[number],
                      markersize=5.5, markeredgewidth=0)
        places = sorted({x for series in chart.series for x, _ in series.points})
        values = [y for series in chart.series for _, y in series.points]
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(self._ticker.NullLocator())
        places = _spaced(places)
        axes.set_xticks(places, [setting_text(place) for place in places])
        axes.set_xlabel(chart.x_label)
        if chart.y_log:
            self._logarithmic(axes, chart.y_unit, values)
        else:
            axes.set_ylim(0, max(values) * 1.12 or 1)
            step = _linear_step(max(values), chart.y_unit)
            axes.yaxis.set_major_locator(self._ticker.MultipleLocator(step))
            axes.yaxis.set_major_formatter(lambda value, _: without_zeros(chart.y_unit.text(value)))

    def _logarithmic(self, axes: Any, unit: Unit, values: list[float]) -> None:
        binary = unit is Unit.BYTES
        low, high = _limits(values, 6.0)
        axes.set_yscale("log", base=2.0 if binary else 10.0)
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(self._ticker.FixedLocator(_steps(low, high, binary)))
        axes.yaxis.set_minor_locator(self._ticker.NullLocator())
        axes.yaxis.set_major_formatter(lambda value, _: without_zeros(unit.text(value)))

    def _fill_bars(self, axes: Any, chart: BarChart) -> float:
        names = [name for name, _ in chart.bars]
        values = [value for _, value in chart.bars]
        axes.bar(range(len(values)), values, width=0.62, color=_colour(0))
        for place, value in enumerate(values):
            axes.annotate(chart.unit.text(value), (place, value), ha="center", va="bottom",
                          xytext=(0, 3), textcoords="offset points", color=_INK)
        axes.set_xticks(range(len(names)), names)
        axes.set_ylim(0, max(values) * 1.15)
        axes.yaxis.set_major_formatter(lambda value, _: without_zeros(chart.unit.text(value)))
        return 0.11


def _linear_step(largest: float, unit: Unit) -> float:
    """Between lines of a linear axis, about five of them, round in the unit that is shown."""
    base = 1024.0 if unit is Unit.BYTES else 1000.0
    size = 1.0
    while largest >= size * base:
        size *= base
    wanted = max(largest, 1e-9) / size / 5
    power = 10.0 ** math.floor(math.log10(wanted))
    return size * power * next(step for step in (1, 2, 5, 10) if step * power >= wanted * 0.999)


def _spaced(places: list[float]) -> list[float]:
    """Places on a logarithmic axis that have room for a label; the last always has."""
    kept: list[float] = []
    span = math.log(places[-1] / places[0]) or 1.0
    for place in reversed(places):
        if not kept or math.log(kept[-1] / place) >= 0.11 * span:
            kept.append(place)
    return kept[::-1]


def _steps(low: float, high: float, binary: bool) -> list[float]:
    """Lines of a logarithmic axis: powers of two, or 1, 2, 5, 10 where these are few enough."""
    base = 2.0 if binary else 10.0
    subs = (1.0, 2.0, 5.0) if not binary and high / low < 250 else (1.0,)
    powers = range(math.floor(math.log(low, base)), math.ceil(math.log(high, base)) + 1)
    steps = [base ** power * sub for power in powers for sub in subs]
    steps = [step for step in steps if low <= step <= high]
    return steps[::math.ceil(len(steps) / 8)] if len(steps) > 8 else steps


def _limits(values: list[float], least: float) -> tuple[float, float]:
    """Of a logarithmic axis. It spans at least this factor, so that what is flat looks flat."""
    low, high = min(values), max(values)
    missing = math.sqrt(max(1.0, least / (high / low)))
    return low / missing / 1.35, high * missing * 1.35


def _colour(number: int) -> str:
    return f"#00000{number % SERIES_MAX + 1}"
