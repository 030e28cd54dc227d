"""tools/bench: builds, measures, reports."""
from __future__ import annotations

import argparse
import datetime
import importlib
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchsuite import machine, report
from benchsuite.plots import Painter
from benchsuite.progress import Progress
from benchsuite.results import Result, Suite
from benchsuite.run import Runner
from benchsuite.scenarios import Profile, Scenario, all_scenarios, for_peer
from benchsuite.server import Sessionstream, Target

_PROGRAMS = ("sessionstreamd", "ssctl", "ss-bench", "ss-load")
EXIT_FAILED = 1
EXIT_USAGE = 2


class UsageError(Exception):
    """Nothing can be measured; the text says what to do."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/bench", description="Measures this checkout and writes a report.")
    parser.add_argument("--quick", action="store_true",
                        help="short runs and fewer points, less than 2 minutes")
    parser.add_argument("--big", action="store_true",
                        help="also what needs a million sessions on disk")
    parser.add_argument("--only", metavar="TEXT", default="",
                        help="scenarios whose name or section holds TEXT")
    parser.add_argument("--repeat", metavar="N", type=int, default=0,
                        help="repetitions of all scenarios (3; 1 with --quick)")
    parser.add_argument("--out", metavar="DIR", type=pathlib.Path,
                        help="where results go (build/bench/<time>-<commit>)")
    parser.add_argument("--list", action="store_true", help="print the names of the scenarios")
    parser.add_argument("--peers", action="store_true",
                        help="measure other servers beside it, those that are there")
    parser.add_argument("--build", metavar="DIR", type=pathlib.Path,
                        help="measure the programs in this build folder as they are")
    return parser.parse_args(arguments)


def build(root: pathlib.Path, folder: pathlib.Path) -> None:
    """The release preset, as tools/run builds it."""
    if not (folder / "CMakeCache.txt").exists():
        subprocess.run(["cmake", "--preset", "release", "-DSS_BUILD_TESTS=OFF",
                        "-DSS_WERROR=OFF"], cwd=root, check=True, stdout=sys.stderr)
    reason = machine.why_not_measured(machine.read_cache(folder))
    if reason:
        raise UsageError(f"{folder} is not measured: {reason}")
    subprocess.run(["cmake", "--build", str(folder), "--target", *_PROGRAMS], cwd=root, check=True,
                   stdout=sys.stderr)


def require_programs(folder: pathlib.Path) -> pathlib.Path:
    """The folder of the programs. Raises UsageError if they are no good for measuring."""
    reason = machine.why_not_measured(machine.read_cache(folder))
    if reason:
        raise UsageError(f"{folder} is not measured: {reason}")
    missing = [name for name in _PROGRAMS if not (folder / "bin" / name).is_file()]
    if missing:
        raise UsageError(f"{folder}/bin lacks {', '.join(missing)}")
    return folder.resolve() / "bin"


def find_peers(data: pathlib.Path) -> tuple[list[Target], dict[str, str]]:
    """Other servers and why the absent ones are absent, from benchsuite.peers."""
    try:
        peers: Any = importlib.import_module("benchsuite.peers")
    except ModuleNotFoundError:
        raise UsageError("this checkout has no peers to measure") from None
    targets, absent = peers.find(data)
    return list(targets), dict(absent)


def choose(profile: Profile, only: str) -> list[Scenario]:
    return [scenario for scenario in all_scenarios(profile)
            if only in scenario.name or only in scenario.section]


def measure(runner: Runner, scenarios: list[Scenario], repeat: int) -> bool:
    """Runs everything repeat times, round by round, so that a slow minute of the machine falls on
    one repetition of many scenarios. True if all went well."""
    progress = Progress([scenario.estimate for scenario in scenarios] * repeat)
    good = True
    for number in range(repeat):
        for scenario in scenarios:
            progress.start(scenario.name if repeat == 1 else f"{scenario.name} #{number + 1}")
            ok = runner.run(scenario)
            good = good and ok
            progress.finish("" if ok else _last_problem(runner.results[scenario.name]))
    progress.say(f"measured in {time.monotonic() - progress.begun:.0f} s")
    return good


def _last_problem(result: Result) -> str:
    return result.runs[-1].problem


def _raise_file_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _result_folder(root: pathlib.Path, given: pathlib.Path | None, started: str) -> pathlib.Path:
    name = started.replace(":", "").replace("-", "")
    folder = given or root / "build" / "bench" / f"{name}-{machine.commit_of(root)}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def run(root: pathlib.Path, options: argparse.Namespace) -> int:
    """The exit status."""
    profile = Profile(options.quick, options.big, os.cpu_count() or 1)
    scenarios = choose(profile, options.only)
    if options.list:
        print("\n".join(scenario.name for scenario in scenarios))
        return 0
    if not scenarios:
        raise UsageError(f"no scenario holds {options.only!r}; see --list")
    if options.repeat < 0:
        raise UsageError("--repeat takes a number from 1")
    repeat = options.repeat or (1 if options.quick else 3)
    folder = options.build or root / "build" / "release"
    if options.build is None:
        build(root, folder)
    programs = require_programs(folder)
    _raise_file_limit()
    started = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    out = _result_folder(root, options.out, started)
    data = pathlib.Path(tempfile.mkdtemp(prefix="bench-data-", dir=out))
    begun = time.monotonic()
    try:
        targets: list[Target] = [Sessionstream(programs / "sessionstreamd", data)]
        absent: dict[str, str] = {}
        if options.peers:
            found, absent = find_peers(data)
            targets += found
            own = list(scenarios)
            scenarios += [other for target in found for other in for_peer(own, target)]
        suite = Suite(machine.describe(root, folder, data, options.quick),
                      {"quick": options.quick, "big": options.big, "only": options.only or "all",
                       "repeat": repeat}, started, absent_peers=absent)
        runner = Runner(programs, data, {target.name: target for target in targets}, {})
        good = measure(runner, scenarios, repeat)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    suite.results = list(runner.results.values())
    suite.seconds = time.monotonic() - begun
    suite.save(out / "results.json")
    report.write(suite, out, Painter().svg)
    print(out / "report.html")
    return 0 if good else EXIT_FAILED


def main(root: pathlib.Path, arguments: list[str]) -> int:
    try:
        return run(root, parse(arguments))
    except (UsageError, OSError) as error:
        print(f"tools/bench: {error}", file=sys.stderr)
        return EXIT_USAGE
    except subprocess.CalledProcessError as error:
        print(f"tools/bench: {error.cmd[0]} ended with {error.returncode}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 130
