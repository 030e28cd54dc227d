"""Two runs side by side: ratios, their spread, and what is outside noise."""
from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from benchsuite.results import Result, Suite

# A change smaller than this is called noise however close the repetitions are together, because
# the same binary differs by as much from one start to the next. Without repetitions nobody knows;
# then only more is worth a question mark.
NOISE = 0.05
NOISE_SINGLE = 0.5

# Metric, whether more is better.
_METRICS = (("per_second", True), ("delivered_per_s", True), ("acked_per_s", True),
            ("cpu_us_each", False), ("server_cpu_us_per_delivery", False),
            ("server_cpu_us_per_event", False), ("rss_per_connection_bytes", False),
            ("cpu_us_per_connection_ping", False), ("join_seconds", False))
_PERCENTILES = (("latency", 50.0), ("latency", 99.0), ("delivery", 50.0), ("delivery", 99.0),
                ("ack", 50.0), ("ack", 99.0), ("join", 50.0), ("join", 99.0))


@dataclass(frozen=True)
class Change:
    """One figure of one scenario; ratio is new by old, low and high its extremes."""

    name: str
    figure: str
    old: float
    new: float
    ratio: float
    low: float
    high: float
    better: bool
    outside: bool
    single: bool

    @property
    def mark(self) -> str:
        if not self.outside:
            return ""
        return ("better" if self.better else "WORSE") + ("?" if self.single else "")


def compare_values(name: str, figure: str, more_is_better: bool, old: Iterable[float],
                   new: Iterable[float]) -> Change | None:
    """None where one side has no positive value. Outside noise: the repetitions of both sides do
    not overlap and the medians are further apart than those of either side."""
    before = sorted(old)
    after = sorted(new)
    if not before or not after or before[0] <= 0 or after[0] <= 0:
        return None
    ratio = statistics.median(after) / statistics.median(before)
    apart = after[0] > before[-1] or after[-1] < before[0]
    single = len(before) == 1 or len(after) == 1
    noise = max(NOISE_SINGLE if single else NOISE, before[-1] / before[0] - 1,
                after[-1] / after[0] - 1)
    beyond = ratio > 1 + noise or ratio < 1 / (1 + noise)
    return Change(name, figure, statistics.median(before), statistics.median(after), ratio,
                  after[0] / before[-1], after[-1] / before[0],
                  (ratio > 1) == more_is_better, apart and beyond, single)


def _changes_of(old: Result, new: Result) -> list[Change]:
    rate_is_given = "rate" in new.params
    found = []
    for metric, more_is_better in _METRICS:
        if rate_is_given and metric.endswith("per_s") or metric == "join_seconds" \
                and new.section != "snapshot":
            continue
        found.append(compare_values(new.name, metric, more_is_better, old.values(metric),
                                    new.values(metric)))
    for histogram, percent in _PERCENTILES:
        if histogram == "join" and new.section != "snapshot":
            continue
        found.append(compare_values(new.name, f"{histogram} p{percent:g}", False,
                                    old.percentiles(histogram, percent),
                                    new.percentiles(histogram, percent)))
    return [change for change in found if change is not None]


def compare(old: Suite, new: Suite) -> tuple[list[Change], list[str]]:
    """Changes of all scenarios that both have, and the names that only one has."""
    changes = []
    names = {result.name for result in old.results} ^ {result.name for result in new.results}
    for result in new.results:
        before = old.find(result.name)
        if before is not None and before.params == result.params:
            changes.extend(_changes_of(before, result))
        elif before is not None:
            names.add(result.name)
    return changes, sorted(names)


def table(changes: list[Change], everything: bool) -> str:
    """Text for a terminal; without @everything only what is outside noise."""
    lines = [f"{'scenario':42} {'figure':26} {'ratio':>6} {'spread':>13}"]
    for change in changes:
        if everything or change.outside:
            spread = f"{change.low:.2f}–{change.high:.2f}"
            lines.append(f"{change.name:42} {change.figure:26} {change.ratio:6.2f} {spread:>13}"
                         f"  {change.mark}".rstrip())
    return "\n".join(lines)


def summary(changes: list[Change]) -> str:
    outside = [change for change in changes if change.outside]
    better = sum(change.better for change in outside)
    text = (f"{len(changes)} figures: {better} better, {len(outside) - better} worse, "
            f"{len(changes) - len(outside)} within noise")
    if any(change.single for change in changes):
        text += "; single runs prove nothing: measure both with --repeat 3 or more"
    return text
