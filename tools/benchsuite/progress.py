"""One line on standard error: what runs, how much is done, how long is left."""
from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from benchsuite.units import duration_text


@dataclass
class Progress:
    """Estimates become better as their sum is compared with what the clock says."""

    estimates: list[float]
    out: TextIO = sys.stderr
    begun: float = field(default_factory=time.monotonic)
    done: int = 0
    shown: int = 0

    def left(self, now: float) -> float:
        """Seconds until the last is done."""
        past = sum(self.estimates[:self.done])
        ahead = sum(self.estimates[self.done:])
        if past < 5:
            return ahead
        return ahead * (now - self.begun) / past

    def start(self, name: str) -> None:
        left = duration_text(self.left(time.monotonic()))
        line = f"[{self.done + 1}/{len(self.estimates)}] {left} left  {name}"
        if self.out.isatty():
            self.out.write("\r" + line[:78].ljust(self.shown))
            self.shown = len(line[:78])
        else:
            self.out.write(line + "\n")
        self.out.flush()

    def finish(self, problem: str) -> None:
        """Of what was started last."""
        self.done += 1
        if problem:
            self.say(f"  FAILED: {problem}")

    def say(self, text: str) -> None:
        """A line that stays."""
        if self.out.isatty() and self.shown > 0:
            self.out.write("\r" + " " * self.shown + "\r")
            self.shown = 0
        self.out.write(text + "\n")
        self.out.flush()
