"""Numbers as people read them."""
from __future__ import annotations

import re


def number_text(value: float) -> str:
    """Three significant digits, thousands as k, millions as M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size * 0.9995:
            return _digits(value / size) + unit
    return _digits(value)


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"


def rate_text(value: float) -> str:
    return f"{number_text(value)}/s"


def time_text(nanoseconds: float) -> str:
    """The unit in which the number is from 1 to 1,000."""
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if nanoseconds >= size * 0.9995:
            return f"{_digits(nanoseconds / size)} {unit}"
    return f"{nanoseconds:.0f} ns"


def bytes_text(value: float) -> str:
    for size, unit in ((2.0 ** 30, "GiB"), (2.0 ** 20, "MiB"), (2.0 ** 10, "KiB")):
        if abs(value) >= size:
            return f"{_digits(value / size)} {unit}"
    return f"{value:.0f} B"


def duration_text(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def without_zeros(text: str) -> str:
    """Round numbers without the digits that say nothing: 1.00 ms becomes 1 ms."""
    return re.sub(r"(\.\d*?)0+(?=\D|$)", r"\1", text).replace(". ", " ").removesuffix(".")


def setting_text(value: float) -> str:
    """A number that somebody chose: 512, 1,024, 10 k."""
    if value < 10000 and value % 1000 != 0:
        return f"{value:,.0f}"
    return without_zeros(number_text(value))
