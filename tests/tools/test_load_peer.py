#!/usr/bin/env python3
"""ss-load --protocol against servers that lose, repeat and refuse on purpose: the first argument is
ss-load."""
from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import unittest
from collections.abc import Callable
from typing import Any, BinaryIO

PROGRAM = ""


class FakePeer:
    """Serves each connection on a thread of its own until all have ended."""

    def __init__(self, serve: Callable[[socket.socket, BinaryIO], None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as file:
            try:
                self.serve(connection, file)
            except OSError:
                pass    # the tester has left

    def close(self) -> None:
        self.listener.close()


def run_load(peer: FakePeer, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Status, document, and what it said."""
    done = subprocess.run(
        [PROGRAM, "--url", f"ws://127.0.0.1:{peer.port}", "--duration", "1", "--warmup", "0",
         "--drain", "10", "--threads", "1", "--json", "-", "--quiet", *arguments],
        capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


class Nats:
    """Sends message @number of a session @copies times to the first follower."""

    def __init__(self, number: int, copies: int) -> None:
        self.number, self.copies = number, copies
        self.lock = threading.Lock()
        self.followers: list[tuple[socket.socket, bytes]] = []

    def serve(self, connection: socket.socket, file: BinaryIO) -> None:
        connection.sendall(b"INFO {}\r\n")
        for line in file:
            words = line.split()
            with self.lock:
                if words[0] == b"PING":
                    connection.sendall(b"PONG\r\n")
                elif words[0] == b"SUB":
                    self.followers.append((connection, words[2]))
                elif words[0] == b"PUB":
                    self.deliver(words[1], file.read(int(words[2]) + 2))

    def deliver(self, subject: bytes, body: bytes) -> None:
        for index, (follower, sid) in enumerate(self.followers):
            chosen = index == 0 and int(body.split()[0]) == self.number
            follower.sendall((b"MSG %s %s %d\r\n" % (subject, sid, len(body) - 2) + body)
                             * (self.copies if chosen else 1))


class PeerTest(unittest.TestCase):
    def nats(self, number: int, copies: int, *arguments: str) -> tuple[int, dict[str, Any], str]:
        peer = FakePeer(Nats(number, copies).serve)
        self.addCleanup(peer.close)
        return run_load(peer, "--protocol", "nats", *arguments)

    def test_a_good_one_gets_everything_to_everybody(self) -> None:
        status, data, said = self.nats(0, 1, "--followers", "3", "--rate", "100")
        self.assertEqual((status, data["totals"]["violations"], data["lagging"]), (0, 0, 0), said)
        self.assertGreater(data["totals"]["published"], 0)
        self.assertEqual(data["totals"]["delivered"], 3 * data["totals"]["published"])
        self.assertEqual((data["options"]["protocol"], data["totals"]["acked"]), ("nats", 0))
        self.assertEqual(data["latency"]["join"]["count"], 3)
        self.assertIn("nothing was lost", said)

    def test_the_first_message_that_is_lost_is_noticed(self) -> None:
        status, data, said = self.nats(1, 0, "--followers", "2", "--rate", "100")
        self.assertEqual((status, data["good"], data["totals"]["violations"]), (0, True, 1))
        self.assertIn("remark: gap: a follower of load-0 has 2, expects 1", said)

    def test_what_is_lost_does_not_hold_up_a_window(self) -> None:
        status, data, said = self.nats(2, 0, "--followers", "3", "--window", "2")
        self.assertEqual((status, data["totals"]["violations"], data["lagging"]), (0, 1, 0), said)
        self.assertGreater(data["totals"]["published"], 3)

    def test_a_repeat_is_noticed(self) -> None:
        status, data, said = self.nats(1, 2, "--rate", "100")
        self.assertEqual((status, data["totals"]["violations"]), (0, 1))
        self.assertIn("repeat or wrong order", said)

    def test_what_is_lost_at_the_end_is_noticed_by_the_drain(self) -> None:
        status, data, said = self.nats(1, 0, "--window", "1", "--drain", "1")
        self.assertEqual((status, data["lagging"]), (0, 1))
        self.assertIn("waits for 1, 1 was sent", said)

    def test_answers_in_order_are_those_of_the_messages(self) -> None:
        count = 0

        def serve(connection: socket.socket, file: BinaryIO) -> None:
            nonlocal count
            file.readline(), file.readline(), file.readline()
            connection.sendall(b"+PONG\r\n")
            while len(file.readline()) > 0:    # of XADD: its head, then 5 times length and text
                for _ in range(10):
                    file.readline()
                count += 1
                connection.sendall(b"-OOM\r\n" if count == 2 else b"$3\r\n1-1\r\n")

        peer = FakePeer(serve)
        self.addCleanup(peer.close)
        status, data, said = run_load(peer, "--protocol", "redis", "--sessions", "3",
                                      "--publishers", "1", "--followers", "0", "--window", "4")
        totals = data["totals"]
        self.assertEqual((status, totals["violations"], totals["errors"]), (0, 0, 1), said)
        self.assertGreater(totals["acked"], 1)
        self.assertEqual(totals["acked"] + 1, totals["published"])
        self.assertIn("error of the server: OOM, 1 times", said)

    def test_bytes_that_are_not_its_protocol_end_the_run(self) -> None:
        def serve(connection: socket.socket, file: BinaryIO) -> None:
            connection.sendall(b"\xff" * 100)
            file.read()

        peer = FakePeer(serve)
        self.addCleanup(peer.close)
        status, _, said = run_load(peer, "--protocol", "mqtt")
        self.assertEqual(status, 2)
        self.assertIn("broke the protocol", said)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
