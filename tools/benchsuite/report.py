"""report.md and report.html of a run."""
from __future__ import annotations

import html
import pathlib
from collections.abc import Callable

from benchsuite.goals import Verdict, verdicts
from benchsuite.plots import DARK, LIGHT, AnyChart, css_variables, stand_alone
from benchsuite.results import Suite
from benchsuite.sections import Section, all_sections
from benchsuite.units import bytes_text, duration_text, time_text

Draw = Callable[[AnyChart], str]

NOTES = (
    "Server and load generator share the cores of one machine. CPU per event and per delivery "
    "stands beside throughput because it says more than throughput there.",
    "Fixed rates are an open loop: latency counts from the time a message was meant to leave, "
    "however late the generator was. Windows are a closed loop: they measure throughput, and "
    "their latency is that of a full pipe.",
    "Every event is fsynced before anybody sees it. Each scenario checks its own answer: counts, "
    "order, gaps, repeats.",
    "A slope is the exponent k of y = a·x^k, by least squares of the logarithms: at 0 the cost "
    "does not grow, at 1 it grows as the other number does.",
    "Figures of one run can be compared with each other. To compare two builds, run both on the "
    "same machine with --repeat and use tools/bench_compare.py.")

_STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1200px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:28px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:20px;margin:48px 0 4px;padding-top:20px;border-top:1px solid var(--grid)}
p{margin:0 0 14px;max-width:72ch}
.sub,.note,figcaption,footer li{color:var(--soft);font-size:14px}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin:20px 0 0;font-size:14px}
a{color:var(--s1);text-decoration-thickness:1px;text-underline-offset:3px}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(240px,1fr));gap:10px 28px;
margin:24px 0}
dt{font-size:13px;color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:16px;
margin:16px 0}
figure{margin:0;padding:12px 12px 10px;background:var(--card);border:1px solid var(--grid);
border-radius:8px;min-width:0}
figure svg{display:block;width:100%;height:auto}
figure path{stroke-linejoin:round}
figcaption{margin:2px 4px 0;font-size:13px;line-height:1.4}
.wide{overflow-x:auto;margin:12px 0}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:6px 12px 6px 0;text-align:right;border-bottom:1px solid var(--grid);
white-space:nowrap}
th:first-child,td:first-child{text-align:left}
th{font-weight:600;color:var(--soft)}
.goals td,.goals th{text-align:left;white-space:normal;vertical-align:top}
summary{cursor:pointer;font-size:14px;color:var(--soft)}
.yes{color:var(--good);font-weight:600}.no{color:var(--bad);font-weight:600}
.failed{border-left:4px solid var(--bad);padding:2px 0 2px 16px;margin:24px 0}
.failed h2{border:0;margin:0;padding:0}
footer{margin-top:48px;border-top:1px solid var(--grid);padding-top:20px}
footer ul{padding-left:18px;max-width:80ch}
@media(max-width:640px){main{padding:20px 16px 48px}h1{font-size:24px}
figure{padding:8px 6px}.goals table,.goals tbody,.goals tr,.goals td{display:block}
.goals thead{display:none}.goals tr{padding:10px 0;border-bottom:1px solid var(--grid)}
.goals td{border:0;padding:0}.goals td[data-label]::before{content:attr(data-label) " ";
color:var(--soft)}}
"""


def _facts(suite: Suite) -> list[tuple[str, str]]:
    machine = suite.machine
    disk = machine["disk"]
    sync = disk["fdatasync_4k"]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    return [
        ("Processor", f"{machine['cpu']}, {machine['cores']} cores"),
        ("Memory", bytes_text(machine["memory_bytes"])),
        ("System", f"{machine['system']}, {machine['kernel']}"),
        ("Disk", f"{disk['device']} ({disk['filesystem']}), fdatasync of 4 KiB: p50 "
                 f"{time_text(sync['p50_us'] * 1e3)}, p99 {time_text(sync['p99_us'] * 1e3)}"),
        ("Compiler", f"{machine['compiler']}, {machine['build_type']}"),
        ("Libraries", libraries),
        ("Commit", machine["commit"]),
        ("Run", f"{_options_text(suite)}; {len(suite.results)} results in "
                f"{duration_text(suite.seconds)} min")]


def _options_text(suite: Suite) -> str:
    options = suite.options
    words = [name for name in ("quick", "big") if options[name]] or ["full"]
    if options["only"] != "all":
        words.append(f"only {options['only']}")
    repeat = options["repeat"]
    words.append("once" if repeat == 1 else f"{repeat} repetitions")
    return ", ".join(words)


def _mark(verdict: Verdict) -> str:
    if verdict.reached is None:
        return "not measured"
    return "reached" if verdict.reached else "not reached"


def _problems(suite: Suite) -> list[tuple[str, str]]:
    return [(result.name, next(run.problem for run in result.runs if not run.ok))
            for result in suite.failures if result.runs]


def _remarks(suite: Suite) -> list[tuple[str, str]]:
    found = []
    for result in suite.results:
        remarks = {run.remark for run in result.runs if run.remark}
        if remarks:
            found.append((result.name, "; ".join(sorted(remarks))))
    return found


def _markdown_table(header: tuple[str, ...], rows: list[tuple[str, ...]],
                    figures: bool = False) -> list[str]:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    rule = "| --- |" + (" ---: |" if figures else " --- |") * (len(header) - 1)
    return [line(header), rule, *(line(row) for row in rows), ""]


def markdown(suite: Suite, sections: list[Section]) -> str:
    """The report as Markdown; charts are files beside it."""
    lines = [f"# Bench of {suite.machine['commit']}", "", suite.started, ""]
    lines += _markdown_table(("", "this run"), _facts(suite))
    problems = _problems(suite)
    if problems:
        lines += ["## Failures", ""]
        lines += [f"- **{name}**: {problem}" for name, problem in problems] + [""]
    lines += ["## Goals", ""]
    lines += _markdown_table(("", "goal", "measured", "", "note"), [
        (verdict.title, verdict.goal, verdict.measured, _mark(verdict), verdict.note)
        for verdict in verdicts(suite)])
    for section in sections:
        lines += [f"## {section.title}", "", section.text, ""]
        for chart in section.charts:
            lines += [f"![{chart.title}]({chart.key}.svg)", ""]
            lines += [chart.note, ""] if chart.note else []
        lines += _markdown_table(section.header, section.rows, figures=True)
    remarks = _remarks(suite)
    if remarks:
        lines += ["## Remarks", ""] + [f"- {name}: {text}" for name, text in remarks] + [""]
    lines += ["## Reading this", "", *(f"- {note}" for note in NOTES), ""]
    return "\n".join(lines)


def _html_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
                   for row in rows)
    return (f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")


def _html_goals(suite: Suite) -> str:
    rows = []
    for verdict in verdicts(suite):
        kind = {True: "yes", False: "no", None: "sub"}[verdict.reached]
        note = f'<br><span class="note">{html.escape(verdict.note)}</span>' if verdict.note else ""
        rows.append(f"<tr><td>{html.escape(verdict.title)}{note}</td>"
                    f'<td data-label="goal">{html.escape(verdict.goal)}</td>'
                    f'<td data-label="measured">{html.escape(verdict.measured)}</td>'
                    f'<td class="{kind}">{_mark(verdict)}</td></tr>')
    return ('<div class="goals"><table><thead><tr><th></th><th>goal</th><th>measured</th><th></th>'
            f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>")


def _html_section(section: Section, drawn: dict[str, str]) -> str:
    figures = []
    for chart in section.charts:
        note = f"<figcaption>{html.escape(chart.note)}</figcaption>" if chart.note else ""
        figures.append(f"<figure>{drawn[chart.key]}{note}</figure>")
    return (f'<section id="{section.key}"><h2>{html.escape(section.title)}</h2>'
            f"<p>{html.escape(section.text)}</p>"
            f'<div class="charts">{"".join(figures)}</div>'
            f"<details><summary>All figures</summary>"
            f"{_html_table(section.header, section.rows)}</details></section>")


def _html_list(title: str, items: list[tuple[str, str]], kind: str) -> str:
    if not items:
        return ""
    lines = "".join(f"<li>{html.escape(name)}: {html.escape(text)}</li>" for name, text in items)
    return f'<div class="{kind}"><h2>{title}</h2><ul>{lines}</ul></div>'


def page(suite: Suite, sections: list[Section], drawn: dict[str, str]) -> str:
    """The report as one HTML file that needs nothing else."""
    facts = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
                    for name, value in _facts(suite))
    links = "".join(f'<a href="#{section.key}">{html.escape(section.short)}</a>'
                    for section in sections)
    judged = [verdict for verdict in verdicts(suite) if verdict.reached is not None]
    reached = sum(1 for verdict in judged if verdict.reached)
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in NOTES)
    commit = html.escape(suite.machine["commit"])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>sessionstream bench {commit}</title>
<style>:root{{{css_variables(LIGHT)}}}
@media(prefers-color-scheme:dark){{:root{{{css_variables(DARK)}}}}}
{_STYLE}</style></head><body><main>
<h1>sessionstream bench</h1>
<p class="sub">{commit}, {html.escape(suite.started)}. {reached} of {len(judged)} measured goals
reached.</p>
<nav><a href="#goals">Goals</a>{links}</nav>
<dl>{facts}</dl>
{_html_list("Failures", _problems(suite), "failed")}
<section id="goals"><h2>Goals</h2>{_html_goals(suite)}</section>
{"".join(_html_section(section, drawn) for section in sections)}
{_html_list("Remarks", _remarks(suite), "note")}
<footer><ul>{notes}</ul></footer>
</main></body></html>
"""


def write(suite: Suite, folder: pathlib.Path, draw: Draw) -> None:
    """Writes both reports and the charts into a folder."""
    sections = all_sections(suite)
    drawn = {chart.key: draw(chart) for section in sections for chart in section.charts}
    for key, svg in drawn.items():
        (folder / f"{key}.svg").write_text(stand_alone(svg), encoding="utf-8")
    (folder / "report.md").write_text(markdown(suite, sections), encoding="utf-8")
    (folder / "report.html").write_text(page(suite, sections, drawn), encoding="utf-8")
