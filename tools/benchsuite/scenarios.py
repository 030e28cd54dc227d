"""What is measured. A scenario names its server abstractly (target), so that another server that
speaks one of ss-load's protocols can be measured by the same lines."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

PAYLOAD = 44
# With this payload and the JSON encoding, bytes on the wire of a frame to a follower and of a frame
# that publishes: what other servers send and are sent has the same size.
WIRE_BYTES = {"follow": 342, "append": 300}
# Makes an entity of a JSON snapshot about 480 bytes.
SNAPSHOT_PAYLOAD = 176
OWN_TARGET = "sessionstream"


@dataclass(frozen=True)
class Server:
    """Settings of the server; a target takes what it knows of them."""

    shards: int = 1
    gateways: int = 1
    entities: int = 1
    ping_interval: str = ""
    client_queue: str = ""


@dataclass(frozen=True)
class LoadScenario:
    """One run of ss-load against one freshly started server."""

    name: str
    section: str
    load: tuple[tuple[str, str], ...]
    server: Server = Server()
    fill: tuple[tuple[str, str], ...] = ()
    params: dict[str, float | str] = field(default_factory=dict)
    target: str = OWN_TARGET
    for_peers: str = ""    # "follow" or "append": peers that do this run it, too
    estimate: float = 1.0
    limit: float = 120.0

    def option(self, name: str, default: float) -> float:
        return float(dict(self.load).get(name, default))

    def arguments(self) -> list[str]:
        return [word for name, value in self.load for word in (f"--{name}", value)]

    def fill_arguments(self) -> list[str]:
        return [word for name, value in self.fill for word in (f"--{name}", value)]


@dataclass(frozen=True)
class BenchScenario:
    """One run of ss-bench; each case it prints becomes a result of its own."""

    name: str
    section: str
    arguments: tuple[str, ...]
    estimate: float = 1.0


Scenario = LoadScenario | BenchScenario


@dataclass(frozen=True)
class Profile:
    quick: bool
    big: bool
    cores: int

    @property
    def seconds(self) -> float:
        return 0.5 if self.quick else 5.0

    @property
    def warmup(self) -> float:
        return 0.2 if self.quick else 1.0

    def shard_counts(self) -> list[int]:
        counts = [1]
        while counts[-1] * 2 <= max(self.cores, 2):
            counts.append(counts[-1] * 2)
        return counts


def _load(profile: Profile, name: str, section: str, *, server: Server = Server(),
          seconds: float | None = None, params: dict[str, float | str] | None = None,
          fill: dict[str, object] | None = None, for_peers: str = "", extra: float = 0.5,
          **options: object) -> LoadScenario:
    duration = profile.seconds if seconds is None else seconds
    values: dict[str, object] = {"payload": PAYLOAD, "duration": f"{duration:g}",
                                 "warmup": f"{profile.warmup:g}", **options}
    texts = {**{key: value for key, value in options.items()}, **(params or {}),
             "shards": server.shards}
    numbers = {key: value if isinstance(value, (int, float)) else str(value)
               for key, value in texts.items()}
    return LoadScenario(
        name=name, section=section, server=server, params=numbers, for_peers=for_peers,
        load=tuple((key, str(value)) for key, value in values.items()),
        fill=tuple((key, str(value)) for key, value in (fill or {}).items()),
        estimate=duration + profile.warmup + extra, limit=12.0 if profile.quick else 120.0)


def ack_scenarios(profile: Profile) -> list[LoadScenario]:
    """Publish to durable answer over the wire, open loop, by shards and rate."""
    return [
        _load(profile, f"ack_{shards}_shards_{rate}", "ack", server=Server(shards=shards),
              sessions=100, followers=0, rate=rate)
        for shards in profile.shard_counts() for rate in (500, 5000, 20000)]


def append_scenarios(profile: Profile) -> list[LoadScenario]:
    """Durable appends to one session over the wire: one at a time, and pipelined."""
    return [_load(profile, f"append_window_{window}", "append", sessions=1, followers=0,
                  window=window, for_peers="append") for window in (1, 256)]


def fan_out_scenarios(profile: Profile) -> list[LoadScenario]:
    """One session, more and more followers; a fixed number of messages in flight."""
    followers = (1, 10, 100, 1000, 10000)
    made = []
    for encoding in ("json", "protobuf"):
        for window in (1, 16):
            for count in followers:
                if profile.quick and encoding == "protobuf" and count not in (1, 100, 1000):
                    continue
                made.append(_load(
                    profile, f"fanout_{encoding}_1x{count}_window_{window}", "fanout",
                    sessions=1, followers=count, window=window, encoding=encoding,
                    for_peers="follow" if encoding == "json" and count == 1000 else "",
                    extra=0.3 + count / 10000))
    return made


def many_sessions_scenarios(profile: Profile) -> list[LoadScenario]:
    """More and more sessions with one follower each."""
    made = []
    for encoding in ("json", "protobuf"):
        for window in (1, 16, 256):
            for count in (100, 1000, 10000):
                if profile.quick and (encoding, window) not in {
                        ("json", 1), ("json", 256), ("protobuf", 256)}:
                    continue
                if profile.quick and encoding == "protobuf" and count == 10000:
                    continue
                made.append(_load(
                    profile, f"sessions_{encoding}_{count}x1_window_{window}", "sessions",
                    sessions=count, followers=1, window=window, encoding=encoding,
                    for_peers="follow" if (encoding, count, window) == ("json", 1000, 256)
                    else "",
                    extra=0.3 + count / 10000))
    return made


def shard_scenarios(profile: Profile) -> list[LoadScenario]:
    """The same load over more shards."""
    return [_load(profile, f"shards_{shards}_1000x1_window_256", "shards",
                  server=Server(shards=shards), sessions=1000, followers=1, window=256)
            for shards in profile.shard_counts()]


def fixed_rate_scenarios(profile: Profile) -> list[LoadScenario]:
    """Publish to receive below what the server can do; latency from intended times."""
    made = []
    for encoding in ("json", "protobuf"):
        made.append(_load(profile, f"rate_{encoding}_500_1x1", "rates", sessions=1, followers=1,
                          rate=500, encoding=encoding,
                          for_peers="follow" if encoding == "json" else "",
                          seconds=1.5 if profile.quick else 10.0))
        made.append(_load(profile, f"rate_{encoding}_20_1x1000", "rates", sessions=1,
                          followers=1000, rate=20, encoding=encoding,
                          for_peers="follow" if encoding == "json" else "",
                          seconds=2.0 if profile.quick else 10.0))
    return made


def idle_scenarios(profile: Profile) -> list[LoadScenario]:
    """Connections that follow a session of their own in which nothing happens. Pings are made
    more frequent than by default so that some seconds show what they cost."""
    seconds = 2.0 if profile.quick else 10.0
    return [_load(profile, f"idle_{count}", "idle", seconds=seconds,
                  server=Server(ping_interval="1s"), params={"ping_seconds": 1},
                  sessions=count, followers=1, publishers=0, for_peers="follow",
                  extra=0.3 + count / 10000)
            for count in (1000, 10000)]


def snapshot_scenarios(profile: Profile) -> list[LoadScenario]:
    """What joining a session costs, one client after the other and many at once."""
    made = []
    for entities in (10, 1000, 10000):
        server = Server(entities=entities, client_queue="64MiB")
        rate = min(max(200, entities * 2), 6000)
        fill = {"sessions": 1, "followers": 0, "rate": rate, "entities": entities,
                "payload": SNAPSHOT_PAYLOAD, "warmup": 0,
                "duration": f"{1.2 * entities / rate:g}"}
        common = {"sessions": 1, "publishers": 0, "entities": entities}
        filling = 0.2 + 1.2 * entities / rate
        made.append(_load(profile, f"join_one_{entities}", "snapshot", server=server, fill=fill,
                          seconds=1.0 if profile.quick else 5.0, extra=filling + 0.3,
                          followers=1, churn=20, rate=1, **common))    # nobody publishes
        clients = 1000 if entities < 10000 else 20 if profile.quick else 100
        made.append(_load(profile, f"join_{clients}_{entities}", "snapshot", server=server,
                          fill=fill, seconds=0.1, extra=filling + 0.7, followers=clients,
                          **common))
    return made


# Cases of ss-bench publish; --only takes a part of a name, so that one text can mean several.
_PUBLISH_QUICK = ("publish_1000_sessions_1_entity", "publish_1_session_", "publish_10_sessions",
                  "publish_10000_sessions", "publish_history_", "publish_batch_",
                  "publish_new_sessions", "publish_shards_")


def bench_scenarios(profile: Profile) -> list[BenchScenario]:
    """The in-process suites."""
    scale = 1 if profile.quick else 8
    common = (("--quick",) if profile.quick else ()) + (("--big",) if profile.big else ())
    suites = {"ceiling": 1.5, "inbox": 0.3, "store": 2.0, "encode": 0.3, "ordinal": 4.0, "recover": 2.0}
    made = [BenchScenario(f"ss-bench {suite}", suite, (*common, suite), seconds * scale)
            for suite, seconds in suites.items()]
    if not profile.quick:
        made.append(BenchScenario("ss-bench publish", "publish", (*common, "publish"),
                                  400.0 if profile.big else 100.0))
        return made
    estimates = (0.5, 2.0, 0.3, 1.5, 2.0, 4.0, 2.0, 1.0)
    made.extend(BenchScenario(f"ss-bench {text}", "publish",
                              (*common, "--only", text, "publish"), seconds)
                for text, seconds in zip(_PUBLISH_QUICK, estimates, strict=True))
    return made


def all_scenarios(profile: Profile) -> list[Scenario]:
    """In the order in which they run."""
    return [*bench_scenarios(profile), *ack_scenarios(profile), *append_scenarios(profile),
            *fixed_rate_scenarios(profile), *fan_out_scenarios(profile),
            *many_sessions_scenarios(profile), *shard_scenarios(profile),
            *idle_scenarios(profile), *snapshot_scenarios(profile)]


class PeerLike(Protocol):
    """What of another server decides how it is measured."""

    name: str
    protocol: str
    purpose: str
    overhead: int


def _load_for(peer: PeerLike, load: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    kept = tuple((name, value) for name, value in load if name not in ("payload", "encoding"))
    payload = WIRE_BYTES[peer.purpose] - peer.overhead
    return (("protocol", peer.protocol), ("payload", str(payload)), *kept)


def for_peer(scenarios: Iterable[Scenario], peer: PeerLike) -> list[LoadScenario]:
    """The scenarios that another server is measured with: the same load with frames of the same
    size."""
    return [replace(scenario, name=f"{scenario.name}@{peer.name}", target=peer.name,
                    load=_load_for(peer, scenario.load))
            for scenario in scenarios
            if isinstance(scenario, LoadScenario) and scenario.target == OWN_TARGET
            and scenario.for_peers == peer.purpose]
