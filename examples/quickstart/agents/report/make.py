"""Makes the report from the facts of this run, also when some of them could not be had."""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from agents.facts import FACTS, OUT, load, write
from agents.inputs import upstream
from agents.report import code, html, markdown, upkeep
from agents.report.document import Chapter, Figure, Report
from agents.seal import seal
from agents.wording import counted

Facts: TypeAlias = Mapping[str, Any]

FIGURES = (
    ("index.files", "files"),
    ("measure.total.lines", "lines"),
    ("functions.count", "functions"),
    ("imports.modules", "modules"),
    ("tests.tests", "tests"),
    ("history.commits", "commits"),
    ("marks.count", "marks for later"),
    ("links.broken", "broken links"),
)

CHARTED: dict[str, Callable[[Facts, str | None], Chapter]] = {
    "measure": code.composition,
    "functions": code.functions,
    "tests": code.tests,
    "history": upkeep.history,
}
PLAIN: dict[str, Callable[[Facts], Chapter]] = {
    "hotspots": code.hotspots,
    "imports": code.imports,
    "links": upkeep.links,
    "licences": upkeep.licences,
    "gate": upkeep.limits,
}
CHART_OF = {"measure": "composition", "functions": "functions", "tests": "tests", "history": "history"}
ORDER = ("gate", "measure", "functions", "hotspots", "imports", "tests", "history", "links", "marks", "licences")


def gather(sources: Mapping[str, str], tasks: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The facts whose tasks succeeded, and why the others are missing; old files of failed tasks are not used."""
    facts: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name, task in sources.items():
        seen = tasks.get(task, {"status": "not part of this run"})
        # A gate that fails has found something: it passed values on, so what it wrote is of this run.
        found = name == "gate" and seen["status"] == "failed" and "broken" in seen["outputs"]
        if seen["status"] != "success" and not found:
            missing[name] = f"{task} is {seen['status']}"
        elif name == "marks":
            facts[name] = (FACTS / "marks.txt").read_bytes().decode("utf-8", "replace").splitlines()
        else:
            facts[name] = load(name)
    return facts, missing


def compose(facts: Mapping[str, Any], missing: Mapping[str, str]) -> Report:
    """The report: every chapter whose facts there are, and a sentence for each that is missing."""
    charts = facts.get("charts", {})
    chapters = [_chapter(name, facts[name], charts.get(CHART_OF.get(name, ""))) for name in ORDER if name in facts]
    if missing:
        chapters.insert(0, Chapter("Missing", tuple(f"{name}: {why}." for name, why in missing.items())))
    limits = facts.get("gate", {"limits": [], "broken": 0})
    passed = bool(limits["limits"]) and not limits["broken"] and not missing
    broken, all_of_them = limits["broken"], len(limits["limits"])
    verdict = f"{all_of_them - broken} of {counted(all_of_them, 'limit')} kept."
    verdict += f" {counted(len(missing), 'part')} missing." if missing else ""
    index = facts.get("index", {"tree": "a source tree", "how": "files not listed", "fingerprint": ""})
    return Report(
        title=f"The state of {index['tree']}",
        subtitle=f"Reading {index['fingerprint'][:12]} of the tree; files {index['how']}.",
        passed=passed,
        verdict=verdict,
        figures=tuple(figures_of(facts)),
        chapters=tuple(chapters),
    )


def figures_of(facts: Mapping[str, Any]) -> Iterator[Figure]:
    """The numbers that stand out, as far as they are known."""
    for fact, label in FIGURES:
        if (value := number(facts, fact)) is not None:
            yield Figure(fact, label, value)


def _chapter(name: str, facts: Any, chart: str | None) -> Chapter:  # noqa: ANN401  # the marks are lines, the rest JSON
    if name == "marks":
        return upkeep.marks(facts)
    return CHARTED[name](facts, chart) if name in CHARTED else PLAIN[name](facts)


def number(facts: Mapping[str, Any], name: str) -> int | None:
    """The number that a dotted name means (of a list: how long it is); None where the facts are missing."""
    file, *keys = name.split(".")
    if file not in facts:
        return None
    value = facts[file]
    for key in keys:
        value = value if key == "count" and isinstance(value, list) else value[key]
    return len(value) if isinstance(value, list) else int(value)


def make(facts: dict[str, str]) -> dict[str, Any]:
    """Write `out/report.html` and `out/report.md`; returns the outputs for the tasks that follow.

    Args:
        facts: Which task each kind of facts comes from.
    """
    found, missing = gather(facts, upstream())
    for name, why in missing.items():
        print(f"without {name}: {why}", file=sys.stderr)
    report = compose(found, missing)
    charts = {path: (OUT / path).read_text(encoding="utf-8") for path in found.get("charts", {}).values()}
    write(OUT / "report.html", html.render(report, charts))
    write(OUT / "report.md", markdown.render(report))
    value = seal(["report.html", "report.md", *charts])
    return {"verdict": report.verdict, "passed": report.passed, "missing": len(missing), "seal": value}
