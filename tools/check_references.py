#!/usr/bin/env python3
"""docs/parity.md and docs/guarantees.md name no file or test that is not there; the first has a row for
every id of the contract, the second numbers its promises without gaps.
`FOLDER/test_FILE.c:NAME` is a test of tests/unit, `FILE.mjs:PART` a part of an integration test; a
path without NAME is one of the repository, of src or of include."""
import pathlib
import re
import sys

PARITY = pathlib.Path("docs/parity.md")
GUARANTEES = pathlib.Path("docs/guarantees.md")
ROOTS = [pathlib.Path(root) for root in (".", "src", "include", "docs")]
SCRIPTS = [pathlib.Path("tests/integration"), pathlib.Path("tests/conformance/frames")]
LAST = {"T-": 7, "S-": 7, "H-": 16, "P-": 9, "O-": 9, "A-": 9, "E-": 6, "D-": 19, "R-": 3,
        "TR-": 21, "C-": 9, "L-": 2, "W-": 55, "": 91}
TWO_DIGITS = {"TR-": False, "A-": False, "": False}


def wanted_ids():
    for kind, last in LAST.items():
        for number in range(1, last + 1):
            yield f"{kind}{number:02}" if TWO_DIGITS.get(kind, True) else f"{kind}{number}"


def ids_of(cell):
    first, dash, last = cell.partition("-")
    if dash and first.isdigit() and last.isdigit():
        return [str(number) for number in range(int(first), int(last) + 1)]
    return [cell]


def has_test(path, name):
    if path.suffix == ".c":
        pattern = rf"^SS_TEST\(\s*\w+,\s*{name}\)"
    else:
        pattern = rf"^async function {name}\(|^    async {name}\(|^await main\(.*\b{name}: \("
    return re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def problem_of(reference):
    text, _, name = reference.partition(":")
    if re.fullmatch(r"[a-z_]+/test_\w+\.c", text):
        paths = [pathlib.Path("tests/unit") / text]
    elif "/" not in text:
        paths = [folder / text for folder in SCRIPTS]
    else:
        paths = [root / text for root in ROOTS]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return f"there is no {text}"
    if name and not has_test(path, name):
        return f"{path} has no test {name}"
    if not name and path.parts[:2] == ("tests", "unit"):
        return f"{text} needs the name of a test"
    return None


def check_references(page, problems):
    references = 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        for reference in re.findall(r"`([\w./-]+\.(?:c|h|mjs|py|proto|md)(?::\w+)?)`", line):
            references += 1
            problem = problem_of(reference)
            if problem:
                problems.append(f"{page}:{number}: {problem}")
    return references


def check_rows(problems):
    seen = {}
    for number, line in enumerate(PARITY.read_text(encoding="utf-8").splitlines(), 1):
        row = re.match(r"\| ([A-Z]*-?\d[\d-]*) \|", line)
        for name in ids_of(row.group(1)) if row else []:
            if name in seen:
                problems.append(f"{PARITY}:{number}: {name} has a row in line {seen[name]}")
            seen[name] = number
    wanted = list(wanted_ids())
    problems += [f"{PARITY}: no row for {name}" for name in wanted if name not in seen]
    problems += [f"{PARITY}:{at}: no row of the contract is {name}" for name, at in seen.items()
                 if name not in wanted]
    return len(seen)


def check_promises(problems):
    text = GUARANTEES.read_text(encoding="utf-8")
    promises = re.split(r"^(?=\*\*G\d+\. )", text, flags=re.MULTILINE)[1:]
    for number, promise in enumerate(promises, 1):
        promise = promise.split("\n## ")[0]
        if not promise.startswith(f"**G{number}. "):
            problems.append(f"{GUARANTEES}: \"{promise[:40]}\" stands where G{number} is expected")
        if not re.search(r"`[\w./-]+\.(?:c|mjs):\w+`", promise):
            problems.append(f"{GUARANTEES}: G{number} names no test")
    return len(promises)


def main():
    problems = []
    references = check_references(PARITY, problems) + check_references(GUARANTEES, problems)
    rows = check_rows(problems)
    promises = check_promises(problems)
    print("\n".join(problems) or f"{rows} rows of parity, {promises} promises, "
                                 f"{references} references, all there")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
