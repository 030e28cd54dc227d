"""Servers under measurement. Another server is added as one more Target."""
from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from benchsuite.scenarios import OWN_TARGET, Server

# Below the range that the kernel takes client ports from, so that no client sits on it.
_PORTS = range(20000, 32768)
_START_SECONDS = 30.0
_STOP_SECONDS = 30.0


class ServerError(Exception):
    """A server does not start, or not as it should."""


@dataclass(frozen=True)
class RunningServer:
    """A server that takes connections."""

    load_arguments: tuple[str, ...]
    pid: int
    rss_before: int


class Target(Protocol):
    """A server that ss-load can drive."""

    name: str

    def running(self, settings: Server) -> contextlib.AbstractContextManager[RunningServer]:
        """Starts it with an empty store, and ends it and removes what it stored on leaving.
        Raises ServerError."""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    start = os.getpid() * 31 + time.monotonic_ns() // 1000
    for offset in range(len(_PORTS)):
        port = _PORTS[(start + offset) % len(_PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerError("no free port from 20000 to 32767 on 127.0.0.1")


def rss_of(pid: int) -> int:
    """Resident bytes of a process."""
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


def wait_for_port(process: subprocess.Popen[bytes], port: int, errors: pathlib.Path) -> None:
    """Returns when the process takes connections. Raises ServerError if it ends before that."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            text = errors.read_text(encoding="utf-8", errors="replace").strip()[-300:]
            raise ServerError(f"the server ended with {process.returncode}: {text}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise ServerError(f"the server takes no connection after {_START_SECONDS:g} s")


def stop(process: subprocess.Popen[bytes]) -> int:
    """Ends it in order, by force if it does not end."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@dataclass(frozen=True)
class Sessionstream:
    """sessionstreamd --app bench."""

    program: pathlib.Path
    data: pathlib.Path
    name: str = OWN_TARGET

    def command(self, settings: Server, port: int, store: pathlib.Path) -> list[str]:
        command = [str(self.program), "--app", "bench", "--listen", f"127.0.0.1:{port}",
                   "--data", str(store), "--shards", str(settings.shards),
                   "--gateways", str(settings.gateways), "--log-level", "warn",
                   "--app-option", f"entities={settings.entities}"]
        if settings.ping_interval:
            command += ["--ping-interval", settings.ping_interval]
        if settings.client_queue:
            command += ["--client-queue", settings.client_queue]
        return command

    @contextlib.contextmanager
    def running(self, settings: Server) -> Iterator[RunningServer]:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="server-", dir=self.data))
        errors = folder / "stderr"
        try:
            port = free_port()
            with errors.open("wb") as stream:
                process = subprocess.Popen(self.command(settings, port, folder / "store"),
                                           stdout=subprocess.DEVNULL, stderr=stream,
                                           cwd=folder)
            try:
                wait_for_port(process, port, errors)
                yield RunningServer(("--url", f"ws://127.0.0.1:{port}",
                                     "--server-pid", str(process.pid)),
                                    process.pid, rss_of(process.pid))
            finally:
                status = stop(process)
            if status != 0:
                raise ServerError(f"the server ended with {status}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
