#!/usr/bin/env python3
"""Every src/FOLDER/FILE.c has tests/unit/FOLDER/test_FILE.c, or a line with a reason in
tests/unit/untested.txt; that list names nothing that is tested or gone. An application is tested
as a whole: src/apps/NAME/*.c have tests/unit/apps/test_NAME.c."""
import pathlib
import sys

LIST = pathlib.Path("tests/unit/untested.txt")


def read_list(problems):
    reasons = {}
    if not LIST.exists():
        return reasons
    for number, line in enumerate(LIST.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        path, _, reason = line.partition(" ")
        if len(reason.split()) < 3:
            problems.append(f"{LIST}:{number}: {path} needs a reason")
        reasons[path] = number
    return reasons


def main():
    problems = []
    listed = read_list(problems)
    for source in sorted(pathlib.Path("src").rglob("*.c")):
        inside = source.relative_to("src")
        name = str(inside)
        test = pathlib.Path("tests/unit") / inside.parent / f"test_{inside.name}"
        if inside.parts[0] == "apps":
            test = pathlib.Path("tests/unit/apps") / f"test_{inside.parts[1]}.c"
        if test.exists() and name in listed:
            problems.append(f"{LIST}:{listed[name]}: {name} has {test}")
        elif not test.exists() and name not in listed:
            problems.append(f"{source}: no {test}, no reason in {LIST}")
        listed.pop(name, None)
    for name, number in listed.items():
        problems.append(f"{LIST}:{number}: there is no src/{name}")
    print("\n".join(problems) or "tests: every source has its test or its reason")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
