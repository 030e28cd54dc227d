"""What was measured: histograms, repeated runs, slopes, and the file that keeps them."""
from __future__ import annotations

import json
import math
import pathlib
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
FORMAT = 1


def percentile_of_sorted(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least @percent of the sorted values do not exceed."""
    if not values:
        raise ValueError("no values")
    rank = max(1, math.ceil(len(values) * percent / 100.0 - 1e-9))
    return values[rank - 1]


@dataclass(frozen=True)
class Histogram:
    """Counts by upper bound, ascending, in nanoseconds."""

    count: int
    maximum: int
    buckets: tuple[tuple[int, int], ...]

    @staticmethod
    def from_json(data: Json) -> Histogram:
        if data.get("unit") != "ns":
            raise ValueError(f"a histogram in {data.get('unit')!r}, not ns")
        buckets = tuple((int(upper), int(count)) for upper, count in data["buckets"])
        if sum(count for _, count in buckets) != data["count"]:
            raise ValueError("a histogram whose buckets do not add up to its count")
        return Histogram(int(data["count"]), int(data["max"]), buckets)

    def to_json(self) -> Json:
        return {"unit": "ns", "count": self.count, "max": self.maximum,
                "buckets": [list(bucket) for bucket in self.buckets]}

    @staticmethod
    def merged(parts: Iterable[Histogram]) -> Histogram:
        counts: dict[int, int] = {}
        maximum = 0
        for part in parts:
            maximum = max(maximum, part.maximum)
            for upper, count in part.buckets:
                counts[upper] = counts.get(upper, 0) + count
        return Histogram(sum(counts.values()), maximum, tuple(sorted(counts.items())))

    def at(self, percent: float) -> float:
        """Nanoseconds that @percent of the samples do not exceed; never more than the largest."""
        if self.count == 0:
            raise ValueError("an empty histogram")
        wanted = max(1, math.ceil(self.count * percent / 100.0 - 1e-9))
        below = 0
        for upper, count in self.buckets:
            below += count
            if below >= wanted:
                return float(min(upper, self.maximum))
        return float(self.maximum)


@dataclass
class Run:
    """One repetition of a scenario."""

    ok: bool
    problem: str = ""
    remark: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    histograms: dict[str, Histogram] = field(default_factory=dict)

    def to_json(self) -> Json:
        return {"ok": self.ok, "problem": self.problem, "remark": self.remark,
                "metrics": self.metrics,
                "histograms": {name: value.to_json() for name, value in self.histograms.items()}}

    @staticmethod
    def from_json(data: Json) -> Run:
        return Run(data["ok"], data["problem"], data["remark"], dict(data["metrics"]),
                   {name: Histogram.from_json(value)
                    for name, value in data["histograms"].items()})


@dataclass
class Result:
    """All repetitions of a scenario."""

    name: str
    section: str
    target: str
    params: dict[str, Any]
    command: str
    runs: list[Run] = field(default_factory=list)

    @property
    def good(self) -> list[Run]:
        return [run for run in self.runs if run.ok]

    @property
    def ok(self) -> bool:
        return bool(self.runs) and all(run.ok for run in self.runs)

    def values(self, metric: str) -> list[float]:
        return [run.metrics[metric] for run in self.good if metric in run.metrics]

    def metric(self, metric: str) -> float | None:
        """Median over the good repetitions."""
        values = self.values(metric)
        return statistics.median(values) if values else None

    def histogram(self, name: str) -> Histogram | None:
        """All samples of the good repetitions."""
        parts = [run.histograms[name] for run in self.good if name in run.histograms]
        return Histogram.merged(parts) if parts else None

    def percentiles(self, name: str, percent: float) -> list[float]:
        """Of each repetition."""
        return [run.histograms[name].at(percent) for run in self.good
                if name in run.histograms and run.histograms[name].count > 0]

    def percentile(self, name: str, percent: float) -> float | None:
        """Median over the repetitions, in nanoseconds."""
        values = self.percentiles(name, percent)
        return statistics.median(values) if values else None

    def to_json(self) -> Json:
        return {"name": self.name, "section": self.section, "target": self.target,
                "params": self.params, "command": self.command,
                "runs": [run.to_json() for run in self.runs]}

    @staticmethod
    def from_json(data: Json) -> Result:
        return Result(data["name"], data["section"], data["target"], data["params"],
                      data["command"], [Run.from_json(run) for run in data["runs"]])


@dataclass
class Suite:
    """One run of the suite."""

    machine: Json
    options: Json
    started: str
    seconds: float = 0.0
    results: list[Result] = field(default_factory=list)
    absent_peers: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Result | None:
        return next((result for result in self.results if result.name == name), None)

    def of_section(self, *sections: str) -> list[Result]:
        return [result for result in self.results if result.section in sections]

    @property
    def failures(self) -> list[Result]:
        return [result for result in self.results if not result.ok]

    def save(self, path: pathlib.Path) -> None:
        data = {"format": FORMAT, "started": self.started, "seconds": round(self.seconds, 1),
                "machine": self.machine, "options": self.options,
                "absent_peers": self.absent_peers,
                "results": [result.to_json() for result in self.results]}
        path.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")

    @staticmethod
    def load(path: pathlib.Path) -> Suite:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.get("format") != FORMAT:
            raise ValueError(f"{path}: format {data.get('format')!r}, expected {FORMAT}")
        return Suite(data["machine"], data["options"], data["started"], data["seconds"],
                     [Result.from_json(result) for result in data["results"]],
                     data["absent_peers"])


def log_slope(points: Iterable[tuple[float, float]]) -> float | None:
    """Exponent k of y = a * x^k by least squares of the logarithms; None without two different x.
    0: the cost does not grow; 1: it grows as x does."""
    logs = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    if len({x for x, _ in logs}) < 2:
        return None
    mean_x = statistics.fmean(x for x, _ in logs)
    mean_y = statistics.fmean(y for _, y in logs)
    return (sum((x - mean_x) * (y - mean_y) for x, y in logs)
            / sum((x - mean_x) ** 2 for x, _ in logs))
