#!/usr/bin/env python3
"""tools/bench_compare.py OLD NEW: ratios of two runs of tools/bench, with their spread, and what is
outside noise. OLD and NEW are folders of runs or their results.json."""
import argparse
import pathlib
import sys

from benchsuite.compare import compare, summary, table
from benchsuite.results import Suite


def read(path: pathlib.Path) -> Suite:
    return Suite.load(path / "results.json" if path.is_dir() else path)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Compares two runs of tools/bench. A ratio is new by old; its spread is that "
                    "of the repetitions.")
    parser.add_argument("old", type=pathlib.Path, metavar="OLD")
    parser.add_argument("new", type=pathlib.Path, metavar="NEW")
    parser.add_argument("--all", action="store_true", help="also what is within noise")
    options = parser.parse_args()
    try:
        old, new = read(options.old), read(options.new)
    except (OSError, ValueError, KeyError) as error:
        print(f"bench_compare: {error}", file=sys.stderr)
        return 2
    for name in ("cpu", "cores", "kernel", "compiler"):
        if old.machine.get(name) != new.machine.get(name):
            print(f"different {name}: {old.machine.get(name)} and {new.machine.get(name)}")
    changes, alone = compare(old, new)
    print(table(changes, options.all))
    print(summary(changes))
    if alone:
        print(f"not compared: {', '.join(alone)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
