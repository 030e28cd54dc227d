"""What the project wants to reach, and what a run says of it."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchsuite.results import Result, Suite
from benchsuite.units import bytes_text, rate_text, time_text

# Deliveries a second of the fastest peer, uWebSockets 20, without any store, on a machine with two
# cores, and what raw writes gave there. They stand in where a run has no peer beside it, scaled by
# the raw writes of this run, and the report says so.
_PEER = "uwebsockets"
_PEER_REFERENCE = {"fanout_json_1x1000_window_1": 223e3, "fanout_json_1x1000_window_16": 1595e3,
                   "sessions_json_1000x1_window_256": 156e3}
_RAW_REFERENCE = 283e3
_RAW_WRITES = "ceiling_write_1x1000_window_1"
_PING_SECONDS = 25.0
_MIB = 1024.0 * 1024.0


@dataclass(frozen=True)
class Verdict:
    """One line of the table. reached is None if it was not measured."""

    title: str
    goal: str
    measured: str
    reached: bool | None
    note: str = ""


def _missing(title: str, goal: str, note: str = "") -> Verdict:
    return Verdict(title, goal, "not measured", None, note)


def _stand_in(suite: Suite, name: str) -> tuple[float, str]:
    """What the peer would reach here, and how that is known."""
    raw = suite.find(_RAW_WRITES)
    here = raw.metric("per_second") if raw else None
    if here:
        # What the server itself does is possible: a ceiling below was disturbed.
        own = suite.find("fanout_json_1x1000_window_1")
        here = max(here, (own.metric("delivered_per_s") or 0.0) if own else 0.0)
    if not here:
        return _PEER_REFERENCE[name], "uWebSockets was not in this run: figure of another machine"
    peer = _PEER_REFERENCE[name]
    return peer * here / _RAW_REFERENCE, (
        f"uWebSockets was not in this run: {rate_text(peer)} where raw writes gave "
        f"{rate_text(_RAW_REFERENCE)}, here they give {rate_text(here)}")


def _against_peer(suite: Suite, title: str, name: str, part: float) -> Verdict:
    result = suite.find(name)
    value = result.metric("delivered_per_s") if result else None
    peer = suite.find(f"{name}@{_PEER}")
    beside = peer.metric("delivered_per_s") if peer else None
    wanted, note = (beside, "") if beside is not None else _stand_in(suite, name)
    share = "" if part == 1.0 else f"{part:g} of "
    goal = f"at least {share}uWebSockets: {rate_text(part * wanted)}"
    if value is None:
        return _missing(title, goal, note)
    return Verdict(title, goal, f"{rate_text(value)} deliveries", value >= part * wanted, note)


def _at_rate(suite: Suite) -> Verdict:
    title, goal = "publish → receive at 500/s, fsync", "p50 ≤ 300 µs, p99 ≤ 1 ms"
    result = suite.find("rate_json_500_1x1")
    half = result.percentile("delivery", 50) if result else None
    high = result.percentile("delivery", 99) if result else None
    if half is None or high is None:
        return _missing(title, goal)
    sync = suite.find("ceiling_fdatasync_allocated")
    one = sync.percentile("latency", 50) if sync else None
    note = f"of it one fdatasync: {time_text(one)}" if one else ""
    return Verdict(title, goal, f"p50 {time_text(half)}, p99 {time_text(high)}",
                   half <= 300e3 and high <= 1e6, note)


def _publish_rate(suite: Suite) -> Verdict:
    title = "publish in process, 1 shard, fsync, 1,000 hot sessions"
    goal = "≥ 250 k/s"
    result = suite.find("publish_1000_sessions_1_entity")
    value = result.metric("per_second") if result else None
    if value is None:
        return _missing(title, goal)
    return Verdict(title, goal, rate_text(value), value >= 250e3)


def _publish_growth(suite: Suite) -> Verdict:
    title = "the same, from 1 to 10,000 entities in the session"
    goal = "falls by at most 20 %"
    few = suite.find("publish_1_session_1_entity")
    many = suite.find("publish_1_session_10000_entities")
    before = few.metric("per_second") if few else None
    after = many.metric("per_second") if many else None
    if before is None or after is None:
        return _missing(title, goal)
    change = after / before - 1
    return Verdict(title, goal, f"{rate_text(before)} → {rate_text(after)} ({change:+.0%})",
                   after >= 0.8 * before)


def _publish_big(suite: Suite) -> Verdict:
    title = "the same, 100,000 active of 1,000,000 sessions on disk"
    goal = "≥ 80 k/s, commit p99 ≤ 15 ms"
    result = suite.find("publish_100000_of_1000000_sessions")
    value = result.metric("per_second") if result else None
    high = result.percentile("latency", 99) if result else None
    if value is None or high is None:
        return _missing(title, goal, "needs --big")
    return Verdict(title, goal, f"{rate_text(value)}, p99 {time_text(high)}",
                   value >= 80e3 and high <= 15e6)


def _assigned(suite: Suite) -> Verdict:
    title, goal = "submit → ordinal assigned, 10,000/s", "p50 ≤ 10 µs"
    result = suite.find("ordinal_assigned_1_shards_10000")
    half = result.percentile("latency", 50) if result else None
    if half is None:
        return _missing(title, goal)
    return Verdict(title, goal, f"p50 {time_text(half)}", half <= 10e3)


def _durable(suite: Suite) -> Verdict:
    title, goal = "submit → durable answer, 500/s", "p50 ≤ 1.5 × one commit of the store"
    result = suite.find("ordinal_durable_1_shards_500")
    store = suite.find("store_append_batch_1")
    half = result.percentile("latency", 50) if result else None
    commit = store.percentile("latency", 50) if store else None
    if half is None or commit is None:
        return _missing(title, goal)
    return Verdict(title, goal, f"p50 {time_text(half)} = {half / commit:.1f} × "
                   f"{time_text(commit)}", half <= 1.5 * commit)


def _join_one(suite: Suite) -> Verdict:
    title, goal = "snapshot of 1,000 entities, one client", "p50 ≤ 2 ms"
    result = suite.find("join_one_1000")
    half = result.percentile("join", 50) if result else None
    if half is None:
        return _missing(title, goal)
    return Verdict(title, goal, f"p50 {time_text(half)}", half <= 2e6)


def _join_many(suite: Suite) -> Verdict:
    title, goal = "snapshot of 1,000 entities, 1,000 clients at once", "≤ 1 s until the last"
    result = suite.find("join_1000_1000")
    value = result.metric("join_seconds") if result else None
    if value is None:
        return _missing(title, goal)
    return Verdict(title, goal, time_text(value * 1e9), value <= 1.0)


def _idle(suite: Suite) -> Result | None:
    return suite.find("idle_10000")


def _idle_memory(suite: Suite) -> Verdict:
    title, goal = "memory of an idle connection with a session of its own", "≤ 1 KiB"
    result = _idle(suite)
    value = result.metric("rss_per_connection_bytes") if result else None
    if value is None:
        return _missing(title, goal)
    return Verdict(title, goal, bytes_text(value), value <= 1024)


def _idle_cpu(suite: Suite) -> Verdict:
    title, goal = "CPU of an idle connection with 25 s pings", "≤ 1 µs/s"
    result = _idle(suite)
    value = result.metric("cpu_us_per_connection_ping") if result else None
    if value is None:
        return _missing(title, goal)
    each = value / _PING_SECONDS
    return Verdict(title, goal, f"{each:.2f} µs/s", each <= 1.0,
                   "measured with 1 s pings, divided")


def _open_big(suite: Suite) -> Verdict:
    title, goal = "a million sessions on disk: open", "≤ 1 s, ≤ 64 MiB"
    result = suite.find("open_1000000_sessions")
    seconds = result.metric("seconds") if result else None
    grown = result.metric("grown_bytes") if result else None
    if seconds is None or grown is None:
        return _missing(title, goal, "needs --big")
    return Verdict(title, goal, f"{time_text(seconds * 1e9)}, {bytes_text(grown)}",
                   seconds <= 1.0 and grown <= 64 * _MIB)


def verdicts(suite: Suite) -> list[Verdict]:
    """All goals, in a fixed order."""
    made = [_against_peer(suite, "1 → 1,000 followers, 1 in flight, fsync",
                          "fanout_json_1x1000_window_1", 1.0),
            _against_peer(suite, "1 → 1,000 followers, 16 in flight, fsync",
                          "fanout_json_1x1000_window_16", 1.0),
            _against_peer(suite, "1,000 sessions × 1 follower, 256 in flight, fsync",
                          "sessions_json_1000x1_window_256", 0.65)]
    rest: tuple[Callable[[Suite], Verdict], ...] = (
        _at_rate, _publish_rate, _publish_growth, _publish_big, _assigned, _durable, _join_one,
        _join_many, _idle_memory, _idle_cpu, _open_big)
    return made + [judge(suite) for judge in rest]
