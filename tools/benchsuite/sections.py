"""The sections of a report: what is said, drawn and listed of each part of the suite."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from benchsuite.plots import AnyChart, BarChart, Chart, PercentileChart, Series, Unit
from benchsuite.results import Result, Suite, log_slope
from benchsuite.scenarios import OWN_TARGET
from benchsuite.units import bytes_text, rate_text, time_text, without_zeros

Value = Callable[[Result], float | None]

_SHORT_TITLES = {
    "fanout": "Fan-out", "sessions": "Sessions", "rates": "Fixed rates", "ack": "Ordinal, wire",
    "append": "Appends",
    "shards": "Shards", "ordinal": "Ordinal, process", "publish": "Publish", "store": "Store",
    "snapshot": "Snapshots", "idle": "Idle", "encode": "Encoding", "inbox": "Hand-off",
    "recover": "Opening", "ceiling": "Ceilings", "peers": "Other servers"}


@dataclass
class Section:
    """One part of the report."""

    @property
    def short(self) -> str:
        """For links."""
        return _SHORT_TITLES[self.key]

    key: str
    title: str
    text: str
    charts: list[AnyChart] = field(default_factory=list)
    header: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)


def _metric(name: str, factor: float = 1.0) -> Value:
    def value(result: Result) -> float | None:
        found = result.metric(name)
        return None if found is None else found * factor
    return value


def _percentile(name: str, percent: float) -> Value:
    return lambda result: result.percentile(name, percent)


def _own(suite: Suite, *sections: str) -> list[Result]:
    return [result for result in suite.of_section(*sections) if result.target == OWN_TARGET]


def _series(label: str, results: Iterable[Result], x: str, value: Value) -> Series | None:
    points = sorted((float(result.params[x]), found) for result in results
                    if x in result.params and float(result.params[x]) > 0
                    and (found := value(result)) is not None and found > 0)
    return Series(label, tuple(points)) if points else None


def _slopes(lines: Iterable[Series]) -> str:
    """Slopes as a sentence, "" without two points."""
    parts = []
    for line in lines:
        slope = log_slope(line.points)
        if slope is not None:
            text = f"{slope:+.2f}".replace("-", "−")
            parts.append(f"{line.label + ': ' if line.label else ''}{text}")
    return f"Slope {'; '.join(parts)}." if parts else ""


def _lines(key: str, title: str, x_label: str, lines: Iterable[Series | None], *,
           unit: Unit = Unit.COUNT, y_log: bool = True) -> list[AnyChart]:
    """A chart, or none if there is nothing to draw."""
    kept = tuple(line for line in lines if line is not None)
    if not kept:
        return []
    return [Chart(key, title, x_label, kept, unit, y_log, _slopes(kept))]


def _curves(key: str, title: str, results: Iterable[tuple[str, Result | None]],
            name: str, note: str = "") -> list[AnyChart]:
    found = [(label, histogram) for label, result in results
             if result is not None and (histogram := result.histogram(name)) is not None
             and histogram.count > 0]
    return [PercentileChart(key, title, tuple(found), note)] if found else []


def _text(value: float | None, show: Callable[[float], str]) -> str:
    return "–" if value is None else show(value)


def _micro(value: float) -> str:
    return time_text(value * 1e3)


def _load_rows(section: Section, results: Iterable[Result], latency: str) -> None:
    section.header = ("scenario", "published", "delivered", "p50", "p99", "p99.9", "max",
                      "CPU / event", "CPU / delivery", "generator CPU", "server memory")
    for result in results:
        histogram = result.histogram(latency)
        section.rows.append((
            result.name, _text(result.metric("published_per_s"), rate_text),
            _text(result.metric("delivered_per_s"), rate_text),
            _text(result.percentile(latency, 50), time_text),
            _text(result.percentile(latency, 99), time_text),
            _text(result.percentile(latency, 99.9), time_text),
            _text(float(histogram.maximum) if histogram else None, time_text),
            _text(result.metric("server_cpu_us_per_event"), _micro),
            _text(result.metric("server_cpu_us_per_delivery"), _micro),
            _text(result.metric("generator_cpu_share"), lambda share: f"{share:.0%}"),
            _text(result.metric("server_rss_bytes"), bytes_text)))


def _bench_rows(section: Section, results: Iterable[Result]) -> None:
    section.header = ("case", "per second", "CPU each", "p50", "p99", "p99.9", "max", "memory")
    for result in results:
        histogram = result.histogram("latency")
        section.rows.append((
            result.name, _text(result.metric("per_second"), rate_text),
            _text(result.metric("cpu_us_each"), _micro),
            _text(result.percentile("latency", 50), time_text),
            _text(result.percentile("latency", 99), time_text),
            _text(result.percentile("latency", 99.9), time_text),
            _text(float(histogram.maximum) if histogram else None, time_text),
            _text(result.metric("rss_bytes"), bytes_text)))


def _with(results: Iterable[Result], **wanted: object) -> list[Result]:
    return [result for result in results
            if all(result.params.get(name) == value for name, value in wanted.items())]


def _values(results: Iterable[Result], name: str) -> list[float]:
    return sorted({result.params[name] for result in results if name in result.params})


def _rate_of(result: Result) -> str:
    return without_zeros(rate_text(float(result.params["rate"])))


def _shards_text(shards: float) -> str:
    return f"{shards:.0f} shard{'s' if shards != 1 else ''}"


def ordinal(suite: Suite) -> Section:
    section = Section("ordinal", "Ordinal latency in the process", (
        "From the intended time of a command to its ordinal, and to its durable answer, through a "
        "running engine. Open loop: a stall shows in every command it delays."))
    results = _own(suite, "ordinal")
    for shards in _values(results, "shards"):
        for what, title in (("assigned", "Submit → ordinal"), ("durable", "Submit → durable")):
            chosen = sorted(_with(results, shards=shards, what=what),
                            key=lambda result: float(result.params["rate"]))
            section.charts += _curves(
                f"ordinal-{what}-{shards:.0f}", f"{title}, {_shards_text(shards)}",
                [(_rate_of(result), result) for result in chosen], "latency")
    _bench_rows(section, results)
    return section


def ack(suite: Suite) -> Section:
    section = Section("ack", "Ordinal latency over the wire", (
        "From the intended time of a submit frame to its acknowledgement with the ordinal, after "
        "the fsync, over a websocket. 100 sessions, no followers, 16 connections."))
    results = _own(suite, "ack")
    for shards in _values(results, "shards"):
        chosen = sorted(_with(results, shards=shards),
                        key=lambda result: float(result.params["rate"]))
        section.charts += _curves(
            f"ack-{shards:.0f}", f"Publish → durable, {_shards_text(shards)}",
            [(_rate_of(result), result) for result in chosen], "ack")
    shards_label = [(shards, _with(results, shards=shards))
                    for shards in _values(results, "shards")]
    section.charts += _lines(
        "ack-cpu", "Server CPU per event", "messages a second",
        [_series(_shards_text(shards), chosen, "rate", _metric("server_cpu_us_per_event", 1e3))
         for shards, chosen in shards_label], unit=Unit.NANOSECONDS)
    section.charts += _lines(
        "ack-memory", "Server memory", "messages a second",
        [_series(_shards_text(shards), chosen, "rate", _metric("server_rss_bytes"))
         for shards, chosen in shards_label], unit=Unit.BYTES)
    _load_rows(section, results, "ack")
    return section


def append(suite: Suite) -> Section:
    section = Section("append", "Durable appends over the wire", (
        "Publish to one session without followers until it is acknowledged, after the fsync: one "
        "message in flight, and as many as a pipeline holds."))
    results = _own(suite, "append")
    section.charts += _curves(
        "append-latency", "Publish → durable",
        [(f"{result.params['window']:.0f} in flight", result) for result in results], "ack")
    _load_rows(section, results, "ack")
    return section


def rates(suite: Suite) -> Section:
    section = Section("rates", "Publish to receive at fixed rates", (
        "What followers see below saturation: 500 messages a second to one follower, and 20 a "
        "second to 1,000. Latency counts from intended times; every event is on disk first."))
    section.charts += _curves(
        "rates-500", "500/s → 1 follower",
        [("JSON", suite.find("rate_json_500_1x1")),
         ("protobuf", suite.find("rate_protobuf_500_1x1"))], "delivery")
    for encoding, title in (("json", "JSON"), ("protobuf", "protobuf")):
        result = suite.find(f"rate_{encoding}_20_1x1000")
        histograms = [(label, found) for label, name in
                      (("first", "first"), ("each", "delivery"), ("last", "last"))
                      if result is not None and (found := result.histogram(name)) is not None]
        if histograms:
            section.charts.append(PercentileChart(
                f"rates-20-{encoding}", f"20/s → 1,000 followers, {title}", tuple(histograms)))
    _load_rows(section, _own(suite, "rates"), "delivery")
    return section


def _by_encoding(results: list[Result], x: str, value: Value) -> list[Series | None]:
    """One line for each encoding and window."""
    lines = []
    for encoding, title in (("json", "JSON"), ("protobuf", "protobuf")):
        for window in _values(results, "window"):
            lines.append(_series(f"{title}, {window:.0f}",
                                 _with(results, encoding=encoding, window=window), x, value))
    return lines


def _growth_over_wire(suite: Suite, key: str, x: str, x_label: str) -> list[AnyChart]:
    results = _own(suite, key)
    last = "last follower" if key == "fanout" else "follower"
    return [
        *_lines(f"{key}-throughput", "Deliveries a second", x_label,
                _by_encoding(results, x, _metric("delivered_per_s"))),
        *_lines(f"{key}-cpu", "Server CPU per delivery", x_label,
                _by_encoding(results, x, _metric("server_cpu_us_per_delivery", 1e3)),
                unit=Unit.NANOSECONDS),
        *_lines(f"{key}-memory", "Server memory", x_label,
                _by_encoding(results, x, _metric("server_rss_bytes")), unit=Unit.BYTES),
        *_lines(f"{key}-first", "Publish → first follower, p50", x_label,
                _by_encoding(results, x, _percentile("first", 50)), unit=Unit.NANOSECONDS),
        *_lines(f"{key}-last", f"Publish → {last}, p50", x_label,
                _by_encoding(results, x, _percentile("last", 50)), unit=Unit.NANOSECONDS)]


def fanout(suite: Suite) -> Section:
    section = Section("fanout", "Fan-out: one session, many followers", (
        "Each message goes to every follower; 1 or 16 messages are in flight in all. The next "
        "one is sent when all followers have one. Legend: encoding, messages in flight."))
    section.charts += _growth_over_wire(suite, "fanout", "followers", "followers")
    section.charts += _curves(
        "fanout-latency", "Publish → each of 1,000 followers",
        [(f"{title}, {window}", suite.find(f"fanout_{encoding}_1x1000_window_{window}"))
         for encoding, title in (("json", "JSON"), ("protobuf", "protobuf"))
         for window in (1, 16)], "delivery")
    _load_rows(section, _own(suite, "fanout"), "delivery")
    return section


def sessions(suite: Suite) -> Section:
    section = Section("sessions", "Many sessions with one follower each", (
        "Every message is an event of its own, fsynced and delivered once. With more in flight "
        "one fsync serves more of them. Legend: encoding, messages in flight."))
    section.charts += [chart for chart in _growth_over_wire(suite, "sessions", "sessions",
                                                            "sessions")
                       if chart.key != "sessions-first"]    # there is one follower
    section.charts += _curves(
        "sessions-latency", "Publish → receive, 1,000 sessions",
        [(f"{title}, {window}", suite.find(f"sessions_{encoding}_1000x1_window_{window}"))
         for encoding, title in (("json", "JSON"), ("protobuf", "protobuf"))
         for window in (1, 16, 256)], "delivery")
    _load_rows(section, _own(suite, "sessions"), "delivery")
    return section


def _scaling_text(begin: str, line: Series) -> str:
    (few, before), (many, after) = line.points[0], line.points[-1]
    return (f"{begin} {few:.0f} to {many:.0f} shards throughput becomes "
            f"{after / before:.2f} times as much, an efficiency of "
            f"{after / before * few / many:.0%}.")


def shards(suite: Suite) -> Section:
    results = _own(suite, "shards")
    section = Section("shards", "Shards", (
        "1,000 sessions with one follower each, 256 in flight, over more shard threads. "
        "Generator, gateway and shards share the cores of this machine."))
    line = _series("", results, "shards", _metric("delivered_per_s"))
    if line is not None and len(line.points) > 1:
        section.text += " " + _scaling_text("From", line)
    section.charts += _lines("shards-throughput", "Deliveries a second", "shards", [line],
                             y_log=False)
    section.charts += _lines(
        "shards-cpu", "Server CPU per event", "shards",
        [_series("", results, "shards", _metric("server_cpu_us_per_event", 1e3))],
        unit=Unit.NANOSECONDS, y_log=False)
    section.charts += _lines(
        "shards-memory", "Server memory", "shards",
        [_series("", results, "shards", _metric("server_rss_bytes"))], unit=Unit.BYTES,
        y_log=False)
    _load_rows(section, results, "delivery")
    return section


def idle(suite: Suite) -> Section:
    results = _own(suite, "idle")
    section = Section("idle", "Idle connections", (
        "Connections that follow a session of their own in which nothing happens. Memory is the "
        "growth of the whole process. Pings go out each second instead of every 25, so that a "
        "short run sees them; the CPU at 25 s is worked out from that."))
    section.charts += _lines(
        "idle-memory", "Memory per connection", "connections",
        [_series("", results, "sessions", _metric("rss_per_connection_bytes"))],
        unit=Unit.BYTES, y_log=False)
    section.charts += _lines(
        "idle-cpu", "CPU per connection and ping", "connections",
        [_series("", results, "sessions", _metric("cpu_us_per_connection_ping", 1e3))],
        unit=Unit.NANOSECONDS, y_log=False)
    section.header = ("scenario", "memory / connection", "CPU / ping", "CPU at 25 s pings",
                      "server memory")
    for result in results:
        ping = result.metric("cpu_us_per_connection_ping")
        section.rows.append((
            result.name, _text(result.metric("rss_per_connection_bytes"), bytes_text),
            _text(ping, _micro), _text(ping, lambda value: f"{value / 25:.2f} µs/s"),
            _text(result.metric("server_rss_bytes"), bytes_text)))
    return section


def snapshot(suite: Suite) -> Section:
    results = _own(suite, "snapshot")
    one = [result for result in results if "churn" in result.params]
    many = [result for result in results if "churn" not in result.params]
    section = Section("snapshot", "Snapshots", (
        "Connecting, subscribing and receiving the snapshot of a session by its entities: clients "
        "one after the other, and many at once."))
    section.charts += _lines(
        "snapshot-one", "One client: connect → snapshot", "entities",
        [_series("p50", one, "entities", _percentile("join", 50)),
         _series("p99", one, "entities", _percentile("join", 99))],
        unit=Unit.NANOSECONDS)
    section.charts += _lines(
        "snapshot-each", "At once: time per client", "entities",
        [_series("", many, "entities", lambda result: _each_join(result))],
        unit=Unit.NANOSECONDS)
    section.charts += _lines(
        "snapshot-memory", "Server memory", "entities",
        [_series("one client", one, "entities", _metric("server_rss_bytes")),
         _series("at once", many, "entities", _metric("server_rss_bytes"))], unit=Unit.BYTES)
    section.header = ("scenario", "clients", "p50", "p99", "until the last", "server memory")
    for result in results:
        at_once = "churn" not in result.params
        section.rows.append((
            result.name, f"{float(result.params['followers']):,.0f}",
            _text(result.percentile("join", 50), time_text),
            _text(result.percentile("join", 99), time_text),
            _text(result.metric("join_seconds") if at_once else None,
                  lambda value: time_text(value * 1e9)),
            _text(result.metric("server_rss_bytes"), bytes_text)))
    return section


def _each_join(result: Result) -> float | None:
    seconds = result.metric("join_seconds")
    return None if seconds is None else seconds * 1e9 / float(result.params["followers"])


# Which cases of ss-bench publish differ in one setting only.
_PUBLISH_GROWTH = (
    ("entities", "entities in the session",
     tuple(f"publish_1_session_{count}_entities" for count in (10, 100, 1000, 10000, 100000))
     + ("publish_1_session_1_entity",)),
    ("sessions", "active sessions",
     ("publish_1_session_1_entity", "publish_10_sessions", "publish_100_sessions",
      "publish_1000_sessions_1_entity", "publish_10000_sessions", "publish_100000_sessions")),
    ("history", "events before", ("publish_history_10000", "publish_history_1000000")),
    ("batch", "events in a batch",
     ("publish_batch_1", "publish_batch_8", "publish_batch_64", "publish_batch_256",
      "publish_1000_sessions_1_entity")))


def publish(suite: Suite) -> Section:
    section = Section("publish", "Publish in the process: one shard", (
        "Ordinal, log, both projections, encoded frame and fsync, stepped on one thread; CPU "
        "includes making the requests and taking the frames. 512 events wait when a batch starts "
        "unless the batch is what varies."))
    for key, label, names in _PUBLISH_GROWTH:
        results = [result for name in names if (result := suite.find(name)) is not None]
        section.charts += _lines(f"publish-{key}", f"Events a second by {label}", label,
                                 [_series("", results, key, _metric("per_second"))])
        section.charts += _lines(
            f"publish-{key}-cpu", f"CPU per event by {label}", label,
            [_series("", results, key, _metric("cpu_us_each", 1e3))], unit=Unit.NANOSECONDS)
        section.charts += _lines(
            f"publish-{key}-memory", f"Memory by {label}", label,
            [_series("", results, key, _metric("rss_bytes"))], unit=Unit.BYTES)
    lanes = [result for result in _own(suite, "publish")
             if result.name.startswith("publish_shards_")]
    line = _series("", lanes, "shards", _metric("per_second"))
    if line is not None and len(line.points) > 1:
        section.text += " " + _scaling_text("Shards side by side, each on a thread of its own: from",
                                            line)
    section.charts += _lines("publish-shards", "Events a second by shards", "shards", [line],
                             y_log=False)
    section.charts += _curves(
        "publish-latency", "One batch, waiting → durable",
        [(f"{size} event{'s' if size > 1 else ''}", suite.find(name)) for size, name in
         ((1, "publish_batch_1"), (64, "publish_batch_64"),
          (512, "publish_1000_sessions_1_entity"))], "latency")
    _bench_rows(section, _own(suite, "publish"))
    return section


def store(suite: Suite) -> Section:
    results = _own(suite, "store")
    section = Section("store", "The store alone", (
        "Appends of 256-byte events over 1,000 sessions, one commit with fsync for each batch."))
    section.charts += _lines("store-throughput", "Events a second", "events in a batch",
                             [_series("", results, "batch", _metric("per_second"))])
    section.charts += _lines(
        "store-commit", "One commit", "events in a batch",
        [_series("p50", results, "batch", _percentile("latency", 50)),
         _series("p99", results, "batch", _percentile("latency", 99))],
        unit=Unit.NANOSECONDS)
    section.charts += _lines(
        "store-cpu", "CPU per event", "events in a batch",
        [_series("", results, "batch", _metric("cpu_us_each", 1e3))], unit=Unit.NANOSECONDS)
    _bench_rows(section, results)
    return section


def encode(suite: Suite) -> Section:
    section = Section("encode", "Encoding", (
        "One frame of a chat-sized update, and snapshots by entities, on one thread."))
    frames = [(title, found) for title, name in
              (("v1 JSON", "v1_json"), ("JSON", "v2_json"), ("protobuf", "v2_protobuf"))
              if (result := suite.find(f"encode_frame_{name}")) is not None
              and (found := result.metric("cpu_us_each")) is not None]
    if frames:
        section.charts.append(BarChart("encode-frame", "CPU of one frame",
                                       tuple((name, value * 1e3) for name, value in frames),
                                       Unit.NANOSECONDS))
    results = _own(suite, "encode")
    section.charts += _lines(
        "encode-snapshot", "Snapshot, p50", "entities",
        [_series(title, [result for result in results
                         if result.name.startswith(f"encode_snapshot_{name}_")],
                 "entities", _percentile("latency", 50))
         for title, name in (("JSON", "v2_json"), ("protobuf", "v2_protobuf"))],
        unit=Unit.NANOSECONDS)
    _bench_rows(section, results)
    return section


def inbox(suite: Suite) -> Section:
    results = _own(suite, "inbox")
    section = Section("inbox", "Hand-off between threads", (
        "Messages from 1, 2 and 4 producers to one consumer; and the time to wake a thread that "
        "sleeps, one message at a time."))
    section.charts += _lines(
        "inbox-throughput", "Messages a second", "producers",
        [_series("", results, "producers", _metric("per_second"))], y_log=False)
    section.charts += _curves("inbox-wake", "Waking a thread",
                              [("one message", suite.find("inbox_wake"))], "latency")
    _bench_rows(section, results)
    return section


def recover(suite: Suite) -> Section:
    results = _own(suite, "recover")
    crashed = [result for result in results if result.name.startswith("recover_")]
    closed = [result for result in results if result.name.startswith("open_")]
    section = Section("recover", "Opening a store", (
        "After a crash by the records in the log, and after an orderly stop by the sessions on "
        "disk."))
    section.charts += _lines(
        "recover-crash", "After a crash", "records in the log",
        [_series("", crashed, "records", _metric("seconds", 1e9))], unit=Unit.NANOSECONDS)
    section.charts += _lines(
        "recover-open", "After an orderly stop", "sessions on disk",
        [_series("", closed, "sessions", _metric("seconds", 1e9))], unit=Unit.NANOSECONDS)
    section.header = ("case", "time", "memory grown")
    section.rows = [(result.name,
                     _text(result.metric("seconds"), lambda value: time_text(value * 1e9)),
                     _text(result.metric("grown_bytes"), bytes_text)) for result in results]
    return section


def ceiling(suite: Suite) -> Section:
    results = _own(suite, "ceiling")
    section = Section("ceiling", "What the machine gives without the server", (
        "One write to each of 1,000 sockets whose reader counts bytes and does nothing else; an "
        "append of 4 KiB with fdatasync, to a growing file and to one whose blocks are there; a "
        "bare LMDB commit of one value. The figures above are to be read as parts of these."))
    section.charts += _curves("ceiling-disk", "Syncs and commits",
                              [(result.name.removeprefix("ceiling_"), result)
                               for result in results if result.percentile("latency", 50)],
                              "latency")
    _bench_rows(section, results)
    return section


Figure = tuple[str, Value, Callable[[float], str]]


def _peer_figures(result: Result) -> list[Figure]:
    """What is compared of a scenario."""
    if result.section == "idle":
        return [("memory / connection", _metric("rss_per_connection_bytes"), bytes_text)]
    if result.section == "append":
        return [("appended", _metric("acked_per_s"), rate_text),
                ("p50", _percentile("ack", 50), time_text),
                ("p99", _percentile("ack", 99), time_text)]
    if "rate" not in result.params:
        return [("delivered", _metric("delivered_per_s"), rate_text),
                ("server CPU / delivery", _metric("server_cpu_us_per_delivery"), _micro)]
    figures: list[Figure] = [("p50", _percentile("delivery", 50), time_text),
                             ("p99", _percentile("delivery", 99), time_text)]
    if result.params["followers"] != 1:
        figures.append(("last, p50", _percentile("last", 50), time_text))
    return figures


def _ratio_text(ours: float | None, theirs: float | None) -> str:
    return "–" if not ours or not theirs else f"{ours / theirs:.2f}"


def peers(suite: Suite) -> Section:
    """Other servers, driven by the same generator in the same run."""
    section = Section("peers", "Other servers in the same run", (
        "The same generator, and frames of the same size. Ratio: sessionstream by the other; "
        "above 1 is better for rates, below 1 for times, CPU and memory. sessionstream fsyncs "
        "every event before anybody sees it, as Redis does here before it answers; nchan, "
        "mosquitto and NATS keep nothing."), header=(
            "scenario", "server", "its figure", "sessionstream", "ratio"))
    others = [result for result in suite.results if result.target != OWN_TARGET]
    for own in suite.results:
        beside = [other for other in others if other.name == f"{own.name}@{other.target}"]
        for figure, value, show in _peer_figures(own) if beside else []:
            section.rows += [
                (f"{own.name}, {figure}", other.target,
                 _text(value(other), show) if other.good else "failed",
                 _text(value(own), show), _ratio_text(value(own), value(other)))
                for other in beside]
    for name, reason in suite.absent_peers.items():
        section.rows.append(("–", name, f"absent: {reason}", "–", "–"))
    return section


def all_sections(suite: Suite) -> list[Section]:
    """In the order of the report; parts that were not run are left out."""
    makers = (fanout, sessions, rates, ack, append, shards, ordinal, publish, store, snapshot, idle,
              encode, inbox, recover, ceiling, peers)
    return [made for make in makers if (made := make(suite)).rows]
