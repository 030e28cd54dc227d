#!/usr/bin/env python3
"""Reads gcovr's JSON from standard input. Every line of src/store has been reached, or stands in
tests/faults/store/unreached.txt with the reason why no test can: "FILE | TEXT OF THE LINE | REASON".
That list names no line that is reached or gone."""
import json
import pathlib
import sys

LIST = pathlib.Path("tests/faults/store/unreached.txt")


def main():
    listed = {}
    for line in LIST.read_text().splitlines():
        name, text, reason = line.split(" | ")
        listed[name, text] = reason
    unreached = []
    met = set()
    lines = 0
    for file in json.load(sys.stdin)["files"]:
        path = pathlib.Path(file["file"])
        source = path.read_text().splitlines()
        for line in file["lines"]:
            if line.get("gcovr/noncode"):
                continue
            lines += 1
            key = (path.name, source[line["line_number"] - 1].strip())
            if line["count"] == 0 and key in listed:
                met.add(key)
            elif line["count"] == 0:
                unreached.append(f"{path}:{line['line_number']}: {key[1]}")
    stale = [f"{LIST}: {name}: {text}" for name, text in listed if (name, text) not in met]
    if lines == 0:
        sys.exit("no line was counted")
    for line in unreached:
        print(f"not reached: {line}")
    for line in stale:
        print(f"reached, or gone: {line}")
    print(f"store: {lines} lines, {len(unreached)} not reached and {len(listed)} with a reason")
    return 1 if unreached or stale else 0


if __name__ == "__main__":
    sys.exit(main())
