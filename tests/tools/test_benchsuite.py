#!/usr/bin/env python3
"""The parts of tools/benchsuite that work without a server: arithmetic, checks, reports."""
from __future__ import annotations

import copy
import dataclasses
import io
import json
import pathlib
import sys
import tempfile
import unittest
import unittest.mock
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from benchsuite import (  # noqa: E402
    compare, goals, machine, peers, plots, report, run, scenarios, sections, units)
from benchsuite.progress import Progress  # noqa: E402
from benchsuite.results import (  # noqa: E402
    Histogram, Result, Run, Suite, log_slope, percentile_of_sorted)
from benchsuite.server import RunningServer, ServerError  # noqa: E402

LATENCY = {"unit": "ns", "count": 4, "p50": 200, "max": 950, "buckets": [[100, 1], [200, 1],
                                                                        [400, 1], [1000, 1]]}


def histogram(*buckets: tuple[int, int]) -> Histogram:
    return Histogram(sum(count for _, count in buckets), buckets[-1][0], buckets)


def load_answer(**changes: Any) -> dict[str, Any]:
    """What ss-load writes for 2 sessions with 3 followers each."""
    totals = {"published": 10, "acked": 10, "delivered": 30, "bytesIn": 3000, "joins": 6,
              "disconnects": 0, "resyncs": 0, "errors": 0, "unanswered": 0, "violations": 0}
    answer: dict[str, Any] = {
        "options": {"threads": 1}, "seconds": 0.5, "joinSeconds": 0.01, "good": True,
        "lagging": 0, "measured": dict(totals), "totals": totals,
        "generator": {"cpuSeconds": 0.1, "rssBytes": 1}, "server": {"cpuSeconds": 0.03,
                                                                   "rssBytes": 5000000},
        "latency": {name: copy.deepcopy(LATENCY) for name in ("delivery", "ack", "join", "first",
                                                              "last")}}
    for name, value in changes.items():
        if name in totals:
            answer["totals"][name] = value
        else:
            answer[name] = value
    return answer


SCENARIO = scenarios.LoadScenario(
    "two_by_three", "fanout", (("sessions", "2"), ("followers", "3"), ("window", "1")),
    params={"sessions": 2, "followers": 3, "window": 1, "encoding": "json"})


def canned_suite() -> Suite:
    """With something in most sections, and one failure."""
    described = {"cpu": "A & B <CPU>", "cores": 2, "memory_bytes": 2 ** 34, "kernel": "Linux 6",
                 "system": "Debian", "compiler": "gcc 12", "build_type": "Release",
                 "libraries": {"libuv": "1.44"}, "commit": "abc123",
                 "disk": {"device": "/dev/x", "filesystem": "ext4",
                          "fdatasync_4k": {"p50_us": 99.0, "p99_us": 163.0}}}
    suite = Suite(described, {"quick": True, "big": False, "only": "all", "repeat": 1},
                  "2026-01-01T00:00:00Z", 61.0)
    for count in (10, 1000):
        for window in (1, 16):
            metrics = {"published_per_s": 100.0, "delivered_per_s": 100.0 * count * window,
                       "server_cpu_us_per_delivery": 5.0, "server_cpu_us_per_event": 5.0 * count,
                       "server_rss_bytes": 5e6, "generator_cpu_share": 0.5}
            suite.results.append(Result(
                f"fanout_json_1x{count}_window_{window}", "fanout", "sessionstream",
                {"sessions": 1, "followers": count, "window": window, "encoding": "json"},
                "ss-load", [Run(True, metrics=metrics, histograms={
                    "delivery": histogram((1000, 5), (2000, 5)),
                    "last": histogram((2000, 5), (4000, 5))})]))
    for size, rate in ((1, 100000.0), (10000, 90000.0)):
        noun = "entity" if size == 1 else "entities"
        suite.results.append(Result(
            f"publish_1_session_{size}_{noun}", "publish", "sessionstream",
            {"entities": size, "sessions": 1}, "ss-bench",
            [Run(True, metrics={"per_second": rate, "cpu_us_each": 3.0, "rss_bytes": 1e7})]))
    suite.results.append(Result("idle_10000", "idle", "sessionstream", {"sessions": 10000}, "x", [
        Run(True, metrics={"rss_per_connection_bytes": 900.0, "server_rss_bytes": 1e7,
                           "cpu_us_per_connection_ping": 50.0})]))
    suite.results.append(Result("ack_1_shards_500", "ack", "sessionstream",
                                {"shards": 1, "rate": 500}, "ss-load",
                                [Run(False, "3 <promises> broken")]))
    return suite


class HistogramTest(unittest.TestCase):
    def test_percentile_is_the_upper_bound_of_its_bucket(self) -> None:
        values = histogram((10, 50), (20, 40), (30, 9), (40, 1))
        self.assertEqual([values.at(p) for p in (0, 50, 50.1, 90, 99, 99.1, 100)],
                         [10, 10, 20, 20, 30, 40, 40])

    def test_percentile_is_never_more_than_the_largest_value(self) -> None:
        self.assertEqual(Histogram.from_json(LATENCY).at(100), 950)

    def test_an_empty_one_has_no_percentile(self) -> None:
        with self.assertRaises(ValueError):
            Histogram(0, 0, ()).at(50)

    def test_buckets_that_do_not_add_up_are_refused(self) -> None:
        with self.assertRaises(ValueError):
            Histogram.from_json({**LATENCY, "count": 5})
        with self.assertRaises(ValueError):
            Histogram.from_json({**LATENCY, "unit": "us"})

    def test_merged_counts_are_sums(self) -> None:
        both = Histogram.merged([histogram((10, 1), (30, 2)), histogram((20, 4), (30, 1))])
        self.assertEqual(both, Histogram(8, 30, ((10, 1), (20, 4), (30, 3))))

    def test_survives_a_file(self) -> None:
        values = Histogram.from_json(LATENCY)
        self.assertEqual(Histogram.from_json(json.loads(json.dumps(values.to_json()))), values)

    def test_percentile_of_values(self) -> None:
        self.assertEqual(percentile_of_sorted([1, 2, 3, 4], 50), 2)
        self.assertEqual(percentile_of_sorted([1, 2, 3, 4], 99), 4)
        with self.assertRaises(ValueError):
            percentile_of_sorted([], 50)


class SlopeTest(unittest.TestCase):
    def test_of_powers_is_the_exponent(self) -> None:
        for exponent in (-1.0, 0.0, 0.5, 2.0):
            points = [(x, 3 * x ** exponent) for x in (1, 10, 100, 5000)]
            self.assertAlmostEqual(log_slope(points) or 0.0, exponent)

    def test_is_the_least_squares_line(self) -> None:
        self.assertAlmostEqual(log_slope([(1, 1), (10, 10), (100, 10)]) or 0.0, 0.5)

    def test_needs_two_places(self) -> None:
        self.assertIsNone(log_slope([(5, 1), (5, 2)]))
        self.assertIsNone(log_slope([(0, 1), (5, 2)]))


class LoadTest(unittest.TestCase):
    def test_rates_and_costs(self) -> None:
        made = run.run_of_load(SCENARIO, load_answer())
        self.assertTrue(made.ok, made.problem)
        self.assertEqual(made.metrics["delivered_per_s"], 60)
        self.assertAlmostEqual(made.metrics["server_cpu_us_per_delivery"], 1000)
        self.assertAlmostEqual(made.metrics["server_cpu_us_per_event"], 3000)
        self.assertEqual(made.histograms["delivery"].at(50), 200)

    def test_wrong_counts_are_problems(self) -> None:
        for name, value, part in (("joins", 5, "5 joins"), ("delivered", 29, "29 frames"),
                                  ("acked", 9, "9 of 10"), ("errors", 1, "1 errors"),
                                  ("disconnects", 2, "2 disconnects"),
                                  ("good", False, "promises")):
            with self.subTest(name):
                self.assertIn(part, run.check_load(SCENARIO, load_answer(**{name: value})))

    def test_a_snapshot_in_place_of_frames_is_a_remark(self) -> None:
        made = run.run_of_load(SCENARIO, load_answer(resyncs=1, delivered=25))
        self.assertTrue(made.ok, made.problem)
        self.assertIn("snapshot", made.remark)

    def test_a_rate_that_was_not_kept_is_a_remark(self) -> None:
        fast = scenarios.LoadScenario("r", "rates", (("sessions", "2"), ("followers", "3"),
                                                     ("rate", "1000")))
        self.assertIn("only 20 of 1000", run.run_of_load(fast, load_answer()).remark)

    def test_a_server_that_does_not_start_is_a_failed_result(self) -> None:
        class Broken:
            name = "sessionstream"

            def running(self, settings: scenarios.Server) -> Any:
                raise ServerError("no room")

        runner = run.Runner(pathlib.Path("/nowhere"), pathlib.Path("/nowhere"),
                            {"sessionstream": Broken()}, {})
        self.assertFalse(runner.run(SCENARIO))
        self.assertEqual(runner.results["two_by_three"].runs[0].problem, "no room")
        self.assertFalse(runner.results["two_by_three"].ok)


class FakeServer:
    """A server of which only the process is looked at: this one."""

    name = "sessionstream"

    def running(self, settings: scenarios.Server) -> Any:
        import contextlib
        import os
        return contextlib.nullcontext(RunningServer(("--url", "ws://h:1"), os.getpid(), 1000))


class ProgramTest(unittest.TestCase):
    def run_with(self, script: str) -> Run:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            program = folder / "ss-load"
            program.write_text(script, encoding="utf-8")
            program.chmod(0o755)
            runner = run.Runner(folder, folder, {"sessionstream": FakeServer()}, {})
            runner.run(SCENARIO)
            return runner.results["two_by_three"].runs[0]

    def test_a_broken_promise_fails_with_its_text(self) -> None:
        made = self.run_with("#!/bin/sh\necho gap after 7 >&2\nexit 1\n")
        self.assertFalse(made.ok)
        self.assertIn("ended with 1: gap after 7", made.problem)

    def test_an_answer_that_is_no_json_fails(self) -> None:
        self.assertFalse(self.run_with("#!/bin/sh\nexit 0\n").ok)

    def test_a_good_answer_is_kept(self) -> None:
        text = json.dumps(load_answer())
        made = self.run_with('#!/bin/sh\nwhile [ "$1" != --json ]; do shift; done\n'
                             f"cat > \"$2\" <<'END'\n{text}\nEND\n")
        self.assertTrue(made.ok, made.problem)
        self.assertEqual(made.metrics["rss_before_bytes"], 1000)

    def bench(self, lines: list[dict[str, Any]], listed: str) -> bool:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            program = folder / "ss-bench"
            text = "\n".join(json.dumps(line) for line in lines)
            program.write_text('#!/bin/sh\ncase "$*" in *--list*) echo ' + listed
                               + f";; *) cat <<'END'\n{text}\nEND\n;; esac\n", encoding="utf-8")
            program.chmod(0o755)
            runner = run.Runner(folder, folder, {}, {})
            return runner.run(scenarios.BenchScenario("ss-bench x", "store", ("x",)))

    def test_a_suite_that_leaves_a_case_out_fails(self) -> None:
        line = {"suite": "store", "case": "a", "params": {"batch": 1}, "count": 2, "seconds": 1,
                "per_second": 2, "cpu_us_each": 1, "rss_bytes": 9}
        self.assertTrue(self.bench([{"machine": {}}, line], "a"))
        self.assertFalse(self.bench([{"machine": {}}, line], "a b"))
        self.assertFalse(self.bench([line, {**line, "case": "b", "per_second": 0}], "a b"))


class ScenarioTest(unittest.TestCase):
    def test_names_are_unique_and_quick_is_quick(self) -> None:
        for quick in (False, True):
            made = scenarios.all_scenarios(scenarios.Profile(quick, False, 2))
            self.assertEqual(len({scenario.name for scenario in made}), len(made))
        self.assertLess(sum(scenario.estimate for scenario in made), 115)

    def test_a_peer_gets_the_same_load_in_its_own_protocol(self) -> None:
        made = scenarios.all_scenarios(scenarios.Profile(True, False, 2))
        loads = {scenario.name: dict(scenario.load) for scenario in made
                 if isinstance(scenario, scenarios.LoadScenario)}
        for peer in (peers.Nchan, peers.Mosquitto, peers.Nats, peers.Redis):
            others = scenarios.for_peer(made, peer)
            self.assertTrue(others)
            for other in others:
                self.assertEqual(other.target, peer.name)
                load = dict(other.load)
                own = loads[other.name.split("@")[0]]
                own = {key: own[key] for key in own if key != "encoding"}
                self.assertEqual(load.pop("protocol"), peer.protocol)
                self.assertEqual(int(load["payload"]) + peer.overhead,
                                 scenarios.WIRE_BYTES[peer.purpose])
                self.assertEqual({**load, "payload": own["payload"]}, own)

    def test_peers_follow_or_append(self) -> None:
        made = scenarios.all_scenarios(scenarios.Profile(True, False, 2))
        names = {scenario.name for scenario in scenarios.for_peer(made, peers.Nats)}
        self.assertEqual(names, {f"{name}@nats" for name in (
            "fanout_json_1x1000_window_1", "fanout_json_1x1000_window_16",
            "sessions_json_1000x1_window_256", "rate_json_500_1x1", "rate_json_20_1x1000",
            "idle_1000", "idle_10000")})
        names = {scenario.name for scenario in scenarios.for_peer(made, peers.Redis)}
        self.assertEqual(names, {"append_window_1@redis", "append_window_256@redis"})


class PeerTest(unittest.TestCase):
    def run_of(self, **changes: Any) -> Run:
        scenario = dataclasses.replace(SCENARIO, target="nats")
        return run.run_of_load(scenario, load_answer(**{"acked": 0, **changes}))

    def test_what_it_loses_is_a_remark(self) -> None:
        made = self.run_of(delivered=29, violations=3, disconnects=1, lagging=2)
        self.assertTrue(made.ok, made.problem)
        for part in ("3 times lost", "1 disconnects", "2 connections without all"):
            self.assertIn(part, made.remark)
        self.assertEqual(self.run_of().remark, "")

    def test_what_leaves_nothing_to_compare_is_a_problem(self) -> None:
        self.assertIn("5 joins", self.run_of(joins=5).problem)
        self.assertIn("nothing was delivered", self.run_of(
            measured={**load_answer()["measured"], "delivered": 0}).problem)

    def test_absent_ones_are_named_with_the_reason(self) -> None:
        with tempfile.TemporaryDirectory() as name, \
                unittest.mock.patch.object(peers, "_PATH", name):
            found, absent = peers.find(pathlib.Path(name))
            self.assertEqual(found, [])
            self.assertEqual(set(absent), {"uwebsockets", "nchan", "mosquitto", "nats", "redis"})
            self.assertIn("nats-server: not installed", absent["nats"])
            program = pathlib.Path(name) / "nats-server"
            program.write_text("#!/bin/sh\n", encoding="ascii")
            program.chmod(0o755)
            found, absent = peers.find(pathlib.Path(name))
            self.assertEqual([peer.name for peer in found], ["nats"])
            self.assertNotIn("nats", absent)

    def test_each_is_told_to_listen_on_loopback_only(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            program = pathlib.Path("/x")
            for peer in (peers.Nchan(program, folder, program), peers.Mosquitto(program, folder),
                         peers.Nats(program, folder), peers.Redis(program, folder)):
                told = " ".join(peer.command(20123, folder))
                told += "".join(file.read_text("ascii") for file in folder.iterdir())
                self.assertIn("127.0.0.1", told)
                self.assertIn("20123", told)
                for file in folder.iterdir():
                    file.unlink()

    def test_one_that_ends_early_is_an_error_with_its_words(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            program = pathlib.Path(name) / "nats-server"
            program.write_text("#!/bin/sh\necho no licence >&2\nexit 3\n", encoding="ascii")
            program.chmod(0o755)
            with self.assertRaisesRegex(ServerError, "ended with 3: no licence"), \
                    peers.Nats(program, pathlib.Path(name)).running(scenarios.Server()):
                self.fail("it does not run")
            self.assertEqual([path.name for path in pathlib.Path(name).iterdir()],
                             ["nats-server"])

    def test_the_report_shows_ratios_and_absent_ones(self) -> None:
        suite = canned_suite()
        suite.absent_peers["uwebsockets"] = "not in Debian"
        own = next(result for result in suite.results
                   if result.name == "fanout_json_1x1000_window_1")
        other = copy.deepcopy(own)
        other.name, other.target = f"{own.name}@nats", "nats"
        other.runs[0].metrics["delivered_per_s"] *= 2
        suite.results.append(other)
        rows = sections.peers(suite).rows
        self.assertIn((f"{own.name}, delivered", "nats", "200 k/s", "100 k/s", "0.50"), rows)
        self.assertIn(("–", "uwebsockets", "absent: not in Debian", "–", "–"), rows)
        other.runs[0].ok = False
        self.assertIn((f"{own.name}, delivered", "nats", "failed", "100 k/s", "–"),
                      sections.peers(suite).rows)

    def test_shards_are_doubled_up_to_the_cores(self) -> None:
        self.assertEqual(scenarios.Profile(True, False, 8).shard_counts(), [1, 2, 4, 8])
        self.assertEqual(scenarios.Profile(True, False, 1).shard_counts(), [1, 2])


class BuildTest(unittest.TestCase):
    def test_only_a_plain_release_build_is_measured(self) -> None:
        good = {"CMAKE_BUILD_TYPE": "Release", "SS_SANITIZE": "", "CMAKE_C_FLAGS": "-g"}
        self.assertEqual(machine.why_not_measured(good), "")
        for change in ({"CMAKE_BUILD_TYPE": "Debug"}, {"CMAKE_BUILD_TYPE": ""},
                       {"SS_SANITIZE": "address"}, {"SS_DEV_CHECKS": "ON"},
                       {"CMAKE_C_FLAGS": "-fsanitize=thread"}, {"CMAKE_C_FLAGS": "--coverage"}):
            with self.subTest(change):
                self.assertNotEqual(machine.why_not_measured({**good, **change}), "")
        self.assertNotEqual(machine.why_not_measured({}), "")


class CompareTest(unittest.TestCase):
    def check(self, old: list[float], new: list[float], more: bool = True) -> compare.Change:
        change = compare.compare_values("x", "per_second", more, old, new)
        assert change is not None
        return change

    def test_apart_and_far_enough_is_marked(self) -> None:
        change = self.check([100, 110, 105], [150, 160, 140])
        self.assertEqual((round(change.ratio, 3), change.mark), (1.429, "better"))
        self.assertEqual((round(change.low, 3), round(change.high, 3)), (1.273, 1.6))
        self.assertEqual(self.check([150, 160, 140], [100, 110, 105]).mark, "WORSE")
        self.assertEqual(self.check([100, 110, 105], [150, 160, 140], more=False).mark, "WORSE")

    def test_overlap_is_noise_however_far_the_medians(self) -> None:
        self.assertEqual(self.check([100, 101, 200], [150, 160, 170]).mark, "")

    def test_a_small_change_is_noise_however_close_the_repetitions(self) -> None:
        self.assertEqual(self.check([100, 100, 100], [103, 103, 103]).mark, "")

    def test_a_change_within_the_spread_of_one_side_is_noise(self) -> None:
        self.assertEqual(self.check([100, 101, 100], [110, 150, 112]).mark, "")

    def test_single_runs_only_raise_a_question(self) -> None:
        self.assertEqual(self.check([100], [140]).mark, "")
        self.assertEqual(self.check([100], [160]).mark, "better?")
        self.assertIn("--repeat", compare.summary([self.check([100], [101])]))

    def test_nothing_to_compare(self) -> None:
        self.assertIsNone(compare.compare_values("x", "y", True, [], [1]))
        self.assertIsNone(compare.compare_values("x", "y", True, [0], [1]))

    def test_runs_with_other_settings_are_not_compared(self) -> None:
        old, new = canned_suite(), canned_suite()
        changes, alone = compare.compare(old, new)
        self.assertEqual({change.ratio for change in changes}, {1.0})
        self.assertEqual(alone, [])
        new.results[0].params["payload"] = 1000
        new.results.pop()
        changes, alone = compare.compare(old, new)
        self.assertEqual(alone, ["ack_1_shards_500", "fanout_json_1x10_window_1"])
        self.assertNotIn("fanout_json_1x10_window_1", {change.name for change in changes})

    def test_table_shows_what_is_outside_noise(self) -> None:
        changes = [self.check([100], [200]), self.check([100], [101])]
        self.assertEqual(len(compare.table(changes, False).splitlines()), 2)
        self.assertEqual(len(compare.table(changes, True).splitlines()), 3)
        self.assertIn("1 better, 0 worse, 1 within noise", compare.summary(changes))


class GoalTest(unittest.TestCase):
    def verdict(self, suite: Suite, title: str) -> goals.Verdict:
        return next(verdict for verdict in goals.verdicts(suite) if title in verdict.title)

    def test_growth_memory_and_processor(self) -> None:
        suite = canned_suite()
        self.assertTrue(self.verdict(suite, "1 to 10,000 entities").reached)
        self.assertTrue(self.verdict(suite, "memory of an idle").reached)
        self.assertFalse(self.verdict(suite, "CPU of an idle").reached)
        self.assertIsNone(self.verdict(suite, "a million sessions").reached)

    def test_a_peer_in_the_run_is_the_measure(self) -> None:
        suite = canned_suite()
        title = "1,000 followers, 1 in flight"
        self.assertFalse(self.verdict(suite, title).reached)
        self.assertIn("another", self.verdict(suite, title).note)
        peer = copy.deepcopy(suite.find("fanout_json_1x1000_window_1"))
        assert peer is not None
        peer.name += "@uwebsockets"
        peer.target = "uwebsockets"
        peer.runs[0].metrics["delivered_per_s"] = 90000.0
        suite.results.append(peer)
        self.assertTrue(self.verdict(suite, title).reached)
        self.assertEqual(self.verdict(suite, title).note, "")


    def test_without_the_peer_its_figure_is_scaled_by_raw_writes(self) -> None:
        suite = canned_suite()
        title = "1,000 followers, 1 in flight"
        raw = copy.deepcopy(suite.find("fanout_json_1x1000_window_1"))
        assert raw is not None
        raw.name = "ceiling_write_1x1000_window_1"
        raw.runs[0].metrics["per_second"] = 283e3 / 2
        suite.results.append(raw)
        self.assertIn("112 k/s", self.verdict(suite, title).goal)
        self.assertIn("142 k/s", self.verdict(suite, title).note)


class ReportTest(unittest.TestCase):
    def test_canned_results_become_reports(self) -> None:
        suite = canned_suite()
        drawn: list[plots.AnyChart] = []

        def draw(chart: plots.AnyChart) -> str:
            drawn.append(chart)
            return "<svg></svg>"

        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            report.write(suite, folder, draw)
            markdown = (folder / "report.md").read_text(encoding="utf-8")
            page = (folder / "report.html").read_text(encoding="utf-8")
            self.assertEqual({chart.key + ".svg" for chart in drawn},
                             {path.name for path in folder.glob("*.svg")})
        for text in ("fanout_json_1x1000_window_16", "1.60 M/s", "Slope", "not reached"):
            self.assertIn(text, markdown)
            self.assertIn(text, page)
        self.assertIn("**ack_1_shards_500**: 3 <promises> broken", markdown)
        self.assertIn("3 &lt;promises&gt; broken", page)
        self.assertIn("A &amp; B &lt;CPU&gt;", page)
        self.assertNotIn("http", page.replace("http://www.w3.org", ""))

    def test_a_suite_survives_its_file(self) -> None:
        suite = canned_suite()
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name) / "results.json"
            suite.save(path)
            self.assertEqual(Suite.load(path), suite)
            path.write_text('{"format":99}', encoding="utf-8")
            with self.assertRaises(ValueError):
                Suite.load(path)

    def test_percentile_axis_ends_with_the_samples(self) -> None:
        points = plots.percentile_points(histogram((10, 98), (20, 1)))
        self.assertEqual([value for _, value in points], [10, 20, 20])
        self.assertAlmostEqual(points[-1][0], 2.0)

    def test_a_chart_is_drawn_without_fixed_colours(self) -> None:
        try:
            painter = plots.Painter()
        except ModuleNotFoundError:
            self.skipTest("matplotlib is not installed")
        chart = plots.Chart("key", "A < B", "x", (
            plots.Series("one", ((1, 5.0), (100, 8.0))), plots.Series("two", ((1, 7.0),))),
            plots.Unit.NANOSECONDS)
        curve = plots.PercentileChart("p", "P", (("one", Histogram.from_json(LATENCY)),))
        bars = plots.BarChart("b", "B", (("one", 3.0), ("two", 4.0)))
        for what in (chart, curve, bars):
            svg = painter.svg(what)
            self.assertTrue(svg.startswith("<svg ") and svg.rstrip().endswith("</svg>"))
            self.assertIn("var(--s1)", svg)
            self.assertNotRegex(svg, r"#0000[0a]\d")
            self.assertNotIn("DejaVu", svg)
        self.assertIn('aria-label="A &lt; B"', painter.svg(chart))
        self.assertEqual(painter.svg(chart), painter.svg(chart))


class TextTest(unittest.TestCase):
    def test_units(self) -> None:
        self.assertEqual([units.number_text(value) for value in (0, 5, 999.96, 1234, 2.5e6)],
                         ["0", "5.00", "1.00 k", "1.23 k", "2.50 M"])
        self.assertEqual([units.time_text(value) for value in (12, 1500, 2.5e6, 3e9)],
                         ["12 ns", "1.50 µs", "2.50 ms", "3.00 s"])
        self.assertEqual(units.bytes_text(1536), "1.50 KiB")
        self.assertEqual(units.duration_text(61.4), "1:01")

    def test_progress_learns_from_the_clock(self) -> None:
        progress = Progress([10.0, 10.0, 20.0], io.StringIO(), begun=100.0)
        self.assertEqual(progress.left(100.0), 40.0)
        progress.finish("")
        self.assertEqual(progress.left(120.0), 60.0)


if __name__ == "__main__":
    unittest.main()
