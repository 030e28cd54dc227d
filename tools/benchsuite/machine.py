"""The machine and the programs a run was made with."""
from __future__ import annotations

import os
import pathlib
import platform
import re
import subprocess
import time
from typing import Any

from benchsuite.results import Json, percentile_of_sorted

_SYNC_BYTES = 4096


def _first_line(path: str, key: str) -> str:
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    found = re.search(rf"^{re.escape(key)}\s*[:=]\s*(.*)$", text, re.MULTILINE)
    return found.group(1).strip().strip('"') if found else "unknown"


def output_of(command: list[str], cwd: pathlib.Path | None = None) -> str:
    """What a command prints, "" if it fails or is not there."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=30,
                              check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def commit_of(root: pathlib.Path) -> str:
    """Short commit, with "-dirty" when tracked files differ from it."""
    commit = output_of(["git", "rev-parse", "--short=10", "HEAD"], root)
    if not commit:
        return "unknown"
    dirty = output_of(["git", "status", "--porcelain", "--untracked-files=no"], root)
    return f"{commit}-dirty" if dirty else commit


def sync_latency(folder: pathlib.Path, count: int) -> dict[str, float]:
    """fdatasync after each 4 KiB append to a new file, in microseconds."""
    path = folder / "sync-probe"
    block = b"\x5a" * _SYNC_BYTES
    took = []
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(count):
            os.write(handle, block)
            begin = time.perf_counter_ns()
            os.fdatasync(handle)
            took.append((time.perf_counter_ns() - begin) / 1e3)
    finally:
        os.close(handle)
        path.unlink()
    took.sort()
    return {"count": count, "p50_us": percentile_of_sorted(took, 50),
            "p99_us": percentile_of_sorted(took, 99), "max_us": took[-1]}


def _disk_of(folder: pathlib.Path) -> dict[str, str]:
    words = output_of(["findmnt", "-n", "-o", "SOURCE,FSTYPE", "--target", str(folder)]).split()
    if len(words) < 2:
        return {"device": "unknown", "filesystem": "unknown"}
    return {"device": words[0], "filesystem": words[1]}


def read_cache(build: pathlib.Path) -> dict[str, str]:
    """CMakeCache.txt as name and value; empty if there is none."""
    try:
        text = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    except OSError:
        return {}
    return dict(re.findall(r"^([A-Za-z0-9_]+):[A-Z]+=(.*)$", text, re.MULTILINE))


def why_not_measured(cache: dict[str, str]) -> str:
    """Why figures of this build would mean nothing; "" if they do mean something."""
    if not cache:
        return "it is not configured"
    kind = cache.get("CMAKE_BUILD_TYPE", "")
    if kind != "Release":
        return f"its build type is {kind or 'not set'}, not Release"
    if cache.get("SS_SANITIZE", ""):
        return f"it has the sanitizers {cache['SS_SANITIZE']}"
    if cache.get("SS_DEV_CHECKS", "OFF").upper() in ("ON", "1", "TRUE", "YES"):
        return "it has the checks for developers (SS_DEV_CHECKS)"
    flags = cache.get("CMAKE_C_FLAGS", "")
    found = re.search(r"-fsanitize\S*|--coverage|-O0|-Og", flags)
    return f"its compiler flags hold {found.group(0)}" if found else ""


def describe(root: pathlib.Path, build: pathlib.Path, data: pathlib.Path, quick: bool) -> Json:
    """Everything about the machine that explains figures."""
    cache = read_cache(build)
    compiler = output_of([cache.get("CMAKE_C_COMPILER", "cc"), "--version"]).split("\n", 1)[0]
    versions = {name: output_of(["pkg-config", "--modversion", package]) or "unknown"
                for name, package in (("libuv", "libuv"), ("lmdb", "lmdb"),
                                      ("protobuf-c", "libprotobuf-c"))}
    memory_kib = _first_line("/proc/meminfo", "MemTotal").split(" ", 1)[0]
    described: dict[str, Any] = {
        "cpu": _first_line("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count() or 1,
        "memory_bytes": int(memory_kib) * 1024 if memory_kib.isdigit() else 0,
        "kernel": f"{platform.system()} {platform.release()}",
        "system": _first_line("/etc/os-release", "PRETTY_NAME"),
        "compiler": compiler or "unknown",
        "build_type": cache.get("CMAKE_BUILD_TYPE", ""),
        "libraries": versions,
        "disk": {**_disk_of(data), "fdatasync_4k": sync_latency(data, 100 if quick else 500)},
        "commit": commit_of(root),
        "load_before": list(os.getloadavg()),
    }
    return described
