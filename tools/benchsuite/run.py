"""Runs scenarios and checks what they say of themselves."""
from __future__ import annotations

import json
import pathlib
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any

from benchsuite.results import Histogram, Json, Result, Run
from benchsuite.scenarios import OWN_TARGET, BenchScenario, LoadScenario, Scenario
from benchsuite.server import RunningServer, ServerError, Target, rss_of

_TEXT_MAX = 300
# Below this part of the intended rate a latency curve shows an overload, which is said.
_RATE_KEPT = 0.98
_GENERATOR_BUSY = 0.9


class ProgramError(Exception):
    """A program failed or gave an answer that cannot be right."""


def _run(command: list[str], limit: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise ProgramError(f"{pathlib.Path(command[0]).name} did not end within "
                           f"{limit:g} s") from error


def _require_success(done: subprocess.CompletedProcess[str], name: str) -> None:
    if done.returncode != 0:
        said = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise ProgramError(f"{name} ended with {done.returncode}: {said[-_TEXT_MAX:]}")


def load_metrics(data: Json) -> dict[str, float]:
    """What ss-load measured, as rates and costs."""
    seconds = data["seconds"]
    measured = data["measured"]
    cpu = data["server"]["cpuSeconds"]
    metrics = {"published_per_s": measured["published"] / seconds,
               "acked_per_s": measured["acked"] / seconds,
               "delivered_per_s": measured["delivered"] / seconds,
               "join_seconds": data["joinSeconds"],
               "seconds": seconds,
               "resyncs": float(data["totals"]["resyncs"]),
               "server_cpu_share": cpu / seconds,
               "server_rss_bytes": float(data["server"]["rssBytes"]),
               "generator_cpu_share": data["generator"]["cpuSeconds"] / seconds}
    if measured["published"] > 0:
        metrics["server_cpu_us_per_event"] = cpu * 1e6 / measured["published"]
    if measured["delivered"] > 0:
        metrics["server_cpu_us_per_delivery"] = cpu * 1e6 / measured["delivered"]
        metrics["generator_cpu_us_per_delivery"] = (data["generator"]["cpuSeconds"] * 1e6
                                                    / measured["delivered"])
        metrics["bytes_per_delivery"] = measured["bytesIn"] / measured["delivered"]
    return metrics


def _check_peer(scenario: LoadScenario, data: Json) -> str:
    """Other servers promise less: only what leaves nothing to compare is wrong."""
    followers = scenario.option("sessions", 1) * scenario.option("followers", 1)
    if data["totals"]["joins"] < followers:
        return f"{data['totals']['joins']} joins, expected {followers:.0f}"
    if scenario.option("publishers", 1) == 0:
        return ""
    for name in ("published", "delivered" if followers else "acked"):
        if data["measured"][name] == 0:
            return f"nothing was {name}"
    return ""


def _remarks_on_peer(data: Json) -> list[str]:
    totals = data["totals"]
    lost = [f"{totals[name]} {text}" for name, text in (
        ("violations", "times lost, repeated or out of order"), ("disconnects", "disconnects"),
        ("errors", "errors"), ("unanswered", "unanswered")) if totals[name]]
    if data["lagging"]:
        lost.append(f"{data['lagging']} connections without all that was sent")
    return lost


def check_load(scenario: LoadScenario, data: Json) -> str:
    """What is wrong with the counts of a run of ss-load; "" if nothing is."""
    totals = data["totals"]
    followers = scenario.option("sessions", 1) * scenario.option("followers", 1)
    churn = scenario.option("churn", 0) > 0
    publishes = scenario.option("publishers", 1) > 0
    if scenario.target != OWN_TARGET:
        return _check_peer(scenario, data)
    if not data["good"]:
        return f"{totals['violations']} promises broken, {data['lagging']} followers behind"
    for name in ("disconnects", "errors", "unanswered"):
        if totals[name] != 0:
            return f"{totals[name]} {name}"
    if totals["joins"] < followers or (not churn and totals["joins"] != followers):
        return f"{totals['joins']} joins, expected {followers:.0f}"
    if publishes and (data["measured"]["published"] == 0
                      or totals["acked"] != totals["published"]):
        return f"{totals['acked']} of {totals['published']} messages acknowledged"
    expected = totals["published"] * scenario.option("followers", 1)
    if publishes and not churn and totals["resyncs"] == 0 and totals["delivered"] != expected:
        return f"{totals['delivered']} frames delivered, expected {expected:.0f}"
    return ""


def remark_on_load(scenario: LoadScenario, data: Json, metrics: dict[str, float]) -> str:
    """What a reader of the figures should know."""
    remarks = []
    threads = int(data["options"]["threads"])
    rate = scenario.option("rate", 0)
    publishes = scenario.option("publishers", 1) > 0
    if publishes and rate > 0 and metrics["published_per_s"] < _RATE_KEPT * rate:
        remarks.append(f"only {metrics['published_per_s']:.0f} of {rate:.0f} messages a second "
                       "were sent")
    if metrics["generator_cpu_share"] > _GENERATOR_BUSY * threads:
        remarks.append("the generator was at its limit")
    if metrics["resyncs"] > 0:
        remarks.append(f"{metrics['resyncs']:.0f} times a snapshot took the place of frames")
    if scenario.target != OWN_TARGET:
        remarks += _remarks_on_peer(data)
    return "; ".join(remarks)


def run_of_load(scenario: LoadScenario, data: Json) -> Run:
    """A repetition out of what ss-load wrote."""
    metrics = load_metrics(data)
    problem = check_load(scenario, data)
    latency = {name: Histogram.from_json(value) for name, value in data["latency"].items()
               if value["count"] > 0}
    return Run(problem == "", problem, remark_on_load(scenario, data, metrics), metrics, latency)


def parse_bench(text: str) -> list[tuple[str, str, dict[str, Any], Run]]:
    """Suite, case, parameters and repetition of each line that ss-bench printed."""
    found = []
    for line in text.splitlines():
        data = json.loads(line)
        if "case" not in data:
            continue
        if data["count"] <= 0 or data["per_second"] <= 0:
            raise ProgramError(f"{data['case']}: nothing was measured")
        metrics = {"per_second": float(data["per_second"]),
                   "cpu_us_each": float(data["cpu_us_each"]),
                   "rss_bytes": float(data["rss_bytes"]), "seconds": float(data["seconds"]),
                   "count": float(data["count"])}
        histograms = {}
        if "latency" in data:
            histograms["latency"] = Histogram.from_json(data["latency"])
        params = dict(data["params"])
        if "grown_bytes" in params:
            metrics["grown_bytes"] = float(params.pop("grown_bytes"))    # an answer, not a setting
        found.append((data["suite"], data["case"], params,
                      Run(True, metrics=metrics, histograms=histograms)))
    return found


@dataclass(frozen=True)
class Runner:
    """Runs scenarios with the programs of one build and keeps results in order."""

    programs: pathlib.Path
    data: pathlib.Path
    targets: dict[str, Target]
    results: dict[str, Result]

    def run(self, scenario: Scenario) -> bool:
        """Runs it once. A failure becomes part of its result. True if all went well."""
        if isinstance(scenario, BenchScenario):
            return self._run_bench(scenario)
        try:
            run = self._run_load(scenario)
        except (ProgramError, ServerError, OSError, ValueError, KeyError) as error:
            run = Run(False, f"{error}"[:_TEXT_MAX])
        result = self.results.setdefault(scenario.name, Result(
            scenario.name, scenario.section, scenario.target, dict(scenario.params),
            self._command_text(scenario)))
        result.runs.append(run)
        return run.ok

    def _command_text(self, scenario: LoadScenario) -> str:
        words = ["ss-load", "--url", "ws://HOST:PORT", *scenario.arguments()]
        return shlex.join(words)

    def _run_load(self, scenario: LoadScenario) -> Run:
        target = self.targets[scenario.target]
        with target.running(scenario.server) as server:
            if scenario.fill:
                self._load(scenario, server, scenario.fill_arguments())
            data = self._load(scenario, server, scenario.arguments())
            rss = rss_of(server.pid)
        if scenario.fill:
            self._check_filled(scenario, data)
        run = run_of_load(scenario, data)
        run.metrics["rss_before_bytes"] = float(server.rss_before)
        run.metrics["rss_after_bytes"] = float(rss)
        connections = scenario.option("sessions", 1) * scenario.option("followers", 1)
        if scenario.section == "idle":
            grown = run.metrics["server_rss_bytes"] - server.rss_before
            run.metrics["rss_per_connection_bytes"] = grown / connections
            run.metrics["cpu_us_per_connection_ping"] = (
                run.metrics["server_cpu_share"] * 1e6 * float(scenario.params["ping_seconds"])
                / connections)
        return run

    def _check_filled(self, scenario: LoadScenario, data: Json) -> None:
        """Joins of a filled session must bring all of its entities."""
        joins = data["totals"]["joins"]
        payload = dict_number(scenario.fill, "payload") * 4 / 3    # base64
        wanted = joins * scenario.server.entities * payload
        if data["totals"]["bytesIn"] < wanted:
            raise ProgramError(f"{data['totals']['bytesIn']} bytes for {joins} snapshots, "
                               f"expected at least {wanted:.0f}")

    def _load(self, scenario: LoadScenario, server: RunningServer,
              arguments: list[str]) -> Json:
        with tempfile.NamedTemporaryFile(dir=self.data, suffix=".json") as file:
            command = [str(self.programs / "ss-load"), *server.load_arguments, *arguments,
                       "--json", file.name, "--quiet"]
            done = _run(command, scenario.limit)
            _require_success(done, "ss-load")
            answer: Json = json.loads(file.read())
            return answer

    def _run_bench(self, scenario: BenchScenario) -> bool:
        program = str(self.programs / "ss-bench")
        try:
            listed = _run([program, *scenario.arguments, "--list"], 30.0)
            _require_success(listed, "ss-bench --list")
            done = _run([program, "--dir", str(self.data / "ss-bench"), *scenario.arguments],
                        120.0 + 10.0 * scenario.estimate)
            _require_success(done, scenario.name)
            cases = parse_bench(done.stdout)
            if not cases or len(cases) < len(listed.stdout.split()):
                raise ProgramError(f"{len(cases)} of {len(listed.stdout.split())} cases answered")
        except (ProgramError, OSError, ValueError, KeyError) as error:
            failed = self.results.setdefault(scenario.name, Result(
                scenario.name, scenario.section, OWN_TARGET, {},
                shlex.join(["ss-bench", *scenario.arguments])))
            failed.runs.append(Run(False, f"{error}"[:_TEXT_MAX]))
            return False
        for suite, name, params, run in cases:
            result = self.results.setdefault(name, Result(
                name, suite, OWN_TARGET, params,
                shlex.join(["ss-bench", *scenario.arguments])))
            result.runs.append(run)
        return True


def dict_number(options: tuple[tuple[str, str], ...], name: str) -> float:
    """Value of an option, 0 if it is not given."""
    return float(dict(options).get(name, 0))
