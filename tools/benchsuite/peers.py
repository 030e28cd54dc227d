"""Other servers, driven by the same generator in the same run. Each runs as a process of its own on
a free port of loopback, with a folder and a configuration of its own; services of the system that
are installed with it are neither used nor touched."""
from __future__ import annotations

import contextlib
import getpass
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from benchsuite.scenarios import Server
from benchsuite.server import (
    RunningServer, ServerError, free_port, rss_of, stop, wait_for_port)

# Daemons live here; a user's PATH may leave it out.
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
_CHILD_SECONDS = 10.0


@dataclass(frozen=True)
class Peer(ABC):
    """A server that ss-load drives with --protocol."""

    program: pathlib.Path
    data: pathlib.Path

    name: ClassVar[str]
    protocol: ClassVar[str]
    purpose: ClassVar[str] = "follow"    # which scenarios: see LoadScenario.for_peers
    # Bytes on the wire around a message; taken off the payload, so that frames have the size of
    # ours.
    overhead: ClassVar[int]

    @abstractmethod
    def command(self, port: int, folder: pathlib.Path) -> list[str]:
        """Writes what it needs into the folder; returns what to run there, in the foreground."""

    def worker(self, process: subprocess.Popen[bytes]) -> int:
        """The process that does the work."""
        return process.pid

    @contextlib.contextmanager
    def running(self, settings: Server) -> Iterator[RunningServer]:
        """The settings are of sessionstream; others have their own."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=self.data))
        log = folder / "log"
        try:
            port = free_port()
            with log.open("wb") as stream:
                process = subprocess.Popen(self.command(port, folder), stdout=stream,
                                           stderr=stream, cwd=folder)
            try:
                wait_for_port(process, port, log)
                pid = self.worker(process)
                yield RunningServer(("--url", f"ws://127.0.0.1:{port}",
                                     "--server-pid", str(pid)), pid, rss_of(pid))
                ended = process.poll()
            finally:
                stop(process)    # some answer to SIGTERM with a status of their own
            if ended is not None:
                text = log.read_text(encoding="utf-8", errors="replace").strip()[-300:]
                raise ServerError(f"{self.name} ended with {ended}: {text}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


_NGINX_MODULES = (pathlib.Path("/usr/lib/nginx/modules"),
                  pathlib.Path("/usr/lib64/nginx/modules"))
_NCHAN_MODULE = "ngx_nchan_module.so"

_NGINX_CONF = """\
load_module {module};
{user}daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid nginx.pid;
error_log stderr error;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    nchan_shared_memory_size 512M;
    server {{
        listen 127.0.0.1:{port} backlog=65535;
        location / {{ return 200; }}
        location ~ ^/pub/(.+)$ {{
            nchan_publisher http;
            nchan_channel_id $1;
            nchan_message_buffer_length 1000;
            nchan_message_timeout 10m;
        }}
        location ~ ^/sub/(.+)$ {{
            nchan_subscriber websocket;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Nchan(Peer):
    """Nchan, a module of nginx, with messages in memory."""

    module: pathlib.Path

    name: ClassVar[str] = "nchan"
    protocol: ClassVar[str] = "nchan"
    overhead: ClassVar[int] = 4

    def command(self, port: int, folder: pathlib.Path) -> list[str]:
        files = os.sysconf("SC_OPEN_MAX")
        root = f"user {getpass.getuser()};\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(_NGINX_CONF.format(
            module=self.module, user=root, port=port, files=files,
            connections=min(files, 65536) - 64), encoding="ascii")
        return [str(self.program), "-p", f"{folder}/", "-c", "nginx.conf"]

    def worker(self, process: subprocess.Popen[bytes]) -> int:
        until = time.monotonic() + _CHILD_SECONDS
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while time.monotonic() < until:
            found = children.read_text(encoding="ascii").split()
            if len(found) == 1:
                return int(found[0])
            time.sleep(0.01)
        raise ServerError("nginx has no worker process")


@dataclass(frozen=True)
class Mosquitto(Peer):
    """Mosquitto with QoS 0, nothing stored, nothing dropped because a queue is short."""

    name: ClassVar[str] = "mosquitto"
    protocol: ClassVar[str] = "mqtt"
    overhead: ClassVar[int] = 11

    def command(self, port: int, folder: pathlib.Path) -> list[str]:
        root = f"user {getpass.getuser()}\n" if os.geteuid() == 0 else ""
        (folder / "mosquitto.conf").write_text(
            f"listener {port} 127.0.0.1\n{root}allow_anonymous true\npersistence false\n"
            "max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n"
            "log_type error\n", encoding="ascii")
        return [str(self.program), "-c", "mosquitto.conf"]


@dataclass(frozen=True)
class Nats(Peer):
    """nats-server, core messages only: no JetStream."""

    name: ClassVar[str] = "nats"
    protocol: ClassVar[str] = "nats"
    overhead: ClassVar[int] = 20

    def command(self, port: int, folder: pathlib.Path) -> list[str]:
        (folder / "nats.conf").write_text(
            f"listen: \"127.0.0.1:{port}\"\nmax_connections: 200000\n", encoding="ascii")
        return [str(self.program), "-c", "nats.conf"]


@dataclass(frozen=True)
class Redis(Peer):
    """Redis streams whose every append is fsynced before it is answered."""

    name: ClassVar[str] = "redis"
    protocol: ClassVar[str] = "redis"
    purpose: ClassVar[str] = "append"
    overhead: ClassVar[int] = 48

    def command(self, port: int, folder: pathlib.Path) -> list[str]:
        return [str(self.program), "--bind", "127.0.0.1", "--port", str(port), "--dir",
                str(folder), "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                "--daemonize", "no"]


def _program(name: str) -> pathlib.Path | None:
    found = shutil.which(name, path=_PATH)
    return None if found is None else pathlib.Path(found)


def find(data: pathlib.Path) -> tuple[list[Peer], dict[str, str]]:
    """The peers that are installed, with folders in @data, and why the others are absent."""
    found: list[Peer] = []
    absent = {"uwebsockets": "not in Debian"}
    nginx = _program("nginx")
    module = next((folder / _NCHAN_MODULE for folder in _NGINX_MODULES
                   if (folder / _NCHAN_MODULE).is_file()), None)
    if nginx is None or module is None:
        absent["nchan"] = "nginx, libnginx-mod-nchan: not installed"
    else:
        found.append(Nchan(nginx, data, module))
    for kind, name, package in ((Mosquitto, "mosquitto", "mosquitto"),
                                (Nats, "nats-server", "nats-server"),
                                (Redis, "redis-server", "redis-server")):
        program = _program(name)
        if program is None:
            absent[kind.name] = f"{package}: not installed"
        else:
            found.append(kind(program, data))
    return found, absent
