#!/usr/bin/env python3
"""Checks what the sources may not do: includes that point up or sideways, libraries outside
their folder, include cycles, mutexes where threads own their data, files and functions that grew
too long, names that say nothing, tests that sleep. Prints "file:line: what" and exits with 1."""
import pathlib
import re
import sys

# What each folder may include besides itself; the link libraries of CMakeLists.txt say the same.
LAYERS = {
    "core": set(),
    "runtime": {"core"},
    "schema": {"core"},
    "store": {"core"},
    "http": {"core"},
    "wire": {"schema", "core"},
    "message": {"runtime", "core"},
    "shard": {"message", "wire", "schema", "store", "runtime", "core"},
    "gateway": {"message", "wire", "http", "schema", "runtime", "core"},
    "engine": {"shard", "gateway", "message", "wire", "http", "schema", "store", "runtime",
               "core"},
    # The daemon is thin: the engine, what its tools need, and the tables that it prints (message).
    # Threads are not its business.
    "server": {"apps", "engine", "message", "wire", "http", "schema", "store", "core"},
    # A tool that looks at applications, found as the daemon finds them.
    "lint": {"server", "apps", "engine", "schema", "core"},
    # Applications see what any user of the installed library sees.
    "apps": set(),
}
LIBRARY_HOMES = {
    re.compile(r"^lmdb\.h$"): {"store"},
    re.compile(r"^wslay/"): {"wire"},
    re.compile(r"^uv\.h$"): {"runtime", "gateway"},
    re.compile(r"^http_parser\.h$"): {"http"},
    re.compile(r"^yaml\.h$"): {"server"},
    re.compile(r"^xxhash\.h$"): {"core"},
}
FORBIDDEN_NAMES = {"util", "utils", "common", "helper", "helpers", "misc", "stuff", "tools"}
LOCK_FREE = {"store", "shard", "gateway"}
MUTEX = re.compile(r"\b(pthread_(mutex|rwlock|spin)_\w+|uv_(mutex|rwlock)_\w+|mtx_\w+)\b")
SLEEP = re.compile(r"(?<![\w.])(u?sleep|nanosleep|clock_nanosleep|thrd_sleep|uv_sleep)\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70

problems = []


def report(path, line, text):
    problems.append(f"{path}:{line}: {text}")


def code_lines(text):
    """The lines with comments and literals blanked, so that words in them count for nothing."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return pattern.sub(blank, text).split("\n")


def check_include(path, folder, number, quote, target):
    first = target.split("/")[0]
    if first in LAYERS and "/" in target and first != folder and first not in LAYERS[folder]:
        report(path, number, f"{folder} may not include {first}")
    if folder == "apps" and quote == '"' and first in LAYERS and first != "apps":
        report(path, number, "applications include <sessionstream/...> only")
    if "../" in target:
        report(path, number, "includes are written from src, not relative")
    for pattern, homes in LIBRARY_HOMES.items():
        if pattern.search(target) and folder not in homes:
            report(path, number, f"<{target}> belongs to {', '.join(sorted(homes))}")


def check_functions(path, lines):
    """A function body opens with a brace in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start - 1 > FUNCTION_LINES_MAX:
                report(path, start, f"function of {number - start - 1} lines, at most "
                       f"{FUNCTION_LINES_MAX}")
            start = None
        elif line.startswith("}"):
            start = None


def find_cycle(graph):
    """A cycle of the include graph as a list, or None."""
    state = {}

    def visit(node, trail):
        state[node] = "open"
        for target in graph.get(node, ()):
            if state.get(target) == "open":
                return trail[trail.index(target):] + [target]
            if target not in state:
                cycle = visit(target, trail + [target])
                if cycle:
                    return cycle
        state[node] = "done"
        return None

    for node in sorted(graph):
        if node not in state:
            cycle = visit(node, [node])
            if cycle:
                return cycle
    return None


def check_source(path, graph):
    folder = path.parts[1]
    if folder not in LAYERS:
        report(path, 1, f"{folder} is not a layer")
        return
    text = path.read_text(encoding="utf-8")
    raw, lines = text.split("\n"), code_lines(text)
    name = str(path.relative_to("src"))
    if path.stem in FORBIDDEN_NAMES:
        report(path, 1, "name the file for what it holds")
    if len(raw) - 1 > FILE_LINES_MAX:
        report(path, FILE_LINES_MAX, f"file of {len(raw) - 1} lines, at most {FILE_LINES_MAX}")
    for number, line in enumerate(raw, 1):
        match = INCLUDE.match(line)
        if match:
            check_include(path, folder, number, match.group(1), match.group(2))
            if path.suffix == ".h":
                graph.setdefault(name, []).append(match.group(2))
        if len(line.expandtabs()) > 100:
            report(path, number, f"line of {len(line)} columns, at most 100")
    if folder in LOCK_FREE:
        for number, line in enumerate(lines, 1):
            match = MUTEX.search(line)
            if match:
                report(path, number, f"{match.group(1)}: {folder} owns its data, no locks")
    check_functions(path, lines)


def check_test(path):
    for number, line in enumerate(code_lines(path.read_text(encoding="utf-8")), 1):
        if SLEEP.search(line):
            report(path, number, "tests wait for events, they do not sleep")


def sources_of(root):
    return sorted(path for path in pathlib.Path(root).rglob("*")
                  if path.suffix in (".c", ".h") and "node_modules" not in path.parts)


def main():
    graph = {}
    for path in sources_of("src"):
        check_source(path, graph)
    cycle = find_cycle(graph)
    if cycle:
        report(pathlib.Path("src") / cycle[0], 1, "include cycle: " + " -> ".join(cycle))
    for path in sources_of("tests"):
        check_test(path)
    print("\n".join(problems) or "layers: nothing to report")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
