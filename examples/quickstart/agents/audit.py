"""Audits the report: `python3 -m agents.audit`. Independent of what rendered it, it trusts neither facts nor page.

- The page and every chart are well-formed, and every chart is inside the page.
- Every figure of the page is the number that the facts have, and the Markdown has the same one.
- The parts add up: kinds to the total of lines, the bars of each chart to its total.
- The lines are counted again, from the files, and must be what the report says.
- Every link of both renderings leads somewhere.

Facts that the report itself says are missing are not asked for.
"""

import re
import sys
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from agents.facts import FACTS, OUT, load_all
from agents.index import content_of, indexed
from agents.report.make import FIGURES, number

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


def drawn(chart: ET.Element) -> int:
    """The sum of all bars of a chart."""
    return sum(int(bar.get("data-value", "0")) for bar in chart.iter(f"{SVG}rect"))


def totals(facts: dict[str, Any]) -> dict[str, int]:
    """What the bars of each chart have to add up to."""
    return {
        "composition": facts["measure"]["total"]["lines"],
        "functions": facts["functions"]["count"],
        "history": sum(period["commits"] for period in facts["history"].get("periods", [])),
        "tests": facts["tests"]["tests"],
    }


def faults_of_charts(page: ET.Element, facts: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the charts."""
    if "charts" not in facts:
        return
    inside = {chart.get("aria-labelledby") for chart in page.iter(f"{SVG}svg")}
    for name, total in totals(facts).items():
        chart = ET.parse(OUT / facts["charts"][name]).getroot()  # noqa: S314  # made by us, everything foreign escaped
        if chart.get("aria-labelledby") not in inside:
            yield f"the page lacks the chart {name}"
        if (added := drawn(chart)) != total:
            yield f"the bars of chart {name} add up to {added:,}, not to {total:,}"


def faults_of_figures(page: ET.Element, text: str, facts: dict[str, Any]) -> Iterator[str]:
    """Where the page or the Markdown says another number than the facts."""
    shown = {node.get("data-fact"): "".join(node.itertext()) for node in page.iter(f"{HTML}dd")}
    for fact, label in FIGURES:
        value = number(facts, fact)
        if value is None:
            continue  # among those that are missing
        if shown.get(fact) != f"{value:,}":
            yield f"the page says {label}: {shown.get(fact)}, the facts say {value:,}"
        if f"| {label} | {value:,} |" not in text:
            yield f"the Markdown does not say {label}: {value:,}"


def faults_of_sums(facts: dict[str, Any]) -> Iterator[str]:
    """Where parts do not add up to their whole."""
    if "measure" not in facts:
        return
    total = facts["measure"]["total"]
    for sort in ("files", "lines", "code", "words", "blank"):
        added = sum(kind[sort] for kind in facts["measure"]["kinds"].values())
        if added != total[sort]:
            yield f"the kinds add up to {added:,} for {sort}, not to {total[sort]:,}"
    if total["code"] + total["words"] + total["blank"] != total["lines"]:
        yield "code, words and blank lines do not add up to the lines"


def faults_of_count(facts: dict[str, Any]) -> Iterator[str]:
    """Whether the lines of the files, counted again in another way, are not those of the report."""
    if "measure" not in facts:
        return
    total, counted = facts["measure"]["total"], 0
    for file in indexed():
        if file.kind != "binary":
            content = content_of(file)
            counted += len(content.split(b"\n")) - (content.endswith(b"\n") or not content)
    if counted != total["lines"]:
        yield f"the files have {counted:,} lines, the report says {total['lines']:,}"


def faults_of_links(page: ET.Element, text: str) -> Iterator[str]:
    """Which links of the report lead nowhere."""
    anchors = {node.get("id") for node in page.iter()}
    for link in page.iter(f"{HTML}a"):
        if link.get("href", "").lstrip("#") not in anchors:
            yield f"the page has no part {link.get('href')}"
    yield from (f"{path} is not there" for path in re.findall(r"\]\((\S+?)\)", text) if not (OUT / path).is_file())


def faults_of_verdict(page: ET.Element, facts: dict[str, Any]) -> Iterator[str]:
    """Whether the page has better or worse news than the gate."""
    (verdict,) = [node for node in page.iter(f"{HTML}p") if "verdict" in node.get("class", "").split()]
    said = verdict.get("class", "").endswith("good")
    kept = "gate" in facts and facts["gate"]["broken"] == 0
    if said and not kept:
        yield "the page says that all is well, the gate does not"
    if kept and not said and not any(part.get("id") == "missing" for part in page.iter(f"{HTML}section")):
        yield "the page says that something is wrong, the gate does not: was it mended since?"


def facts_for(page: ET.Element) -> dict[str, Any]:
    """The facts that the page has to agree with: all but those that it says are missing."""
    facts: dict[str, Any] = dict(load_all())
    facts["marks"] = (FACTS / "marks.txt").read_bytes().split(b"\n")[:-1] if (FACTS / "marks.txt").is_file() else []
    sections = [part for part in page.iter(f"{HTML}section") if part.get("id") == "missing"]
    missing = {sentence.partition(":")[0] for part in sections for sentence in part.itertext()}
    return {name: value for name, value in facts.items() if name not in missing}


def audit() -> list[str]:
    """Everything that is wrong with the report."""
    page = ET.parse(OUT / "report.html").getroot()  # noqa: S314  # as above
    facts = facts_for(page)
    text = (OUT / "report.md").read_text(encoding="utf-8")
    return [
        *faults_of_charts(page, facts),
        *faults_of_figures(page, text, facts),
        *faults_of_sums(facts),
        *faults_of_verdict(page, facts),
        *faults_of_count(facts),
        *faults_of_links(page, text),
    ]


def main() -> int:
    """Print what is wrong; fail if anything is."""
    try:
        faults = audit()
    except (ET.ParseError, KeyError, OSError) as error:
        faults = [f"the report cannot be read: {type(error).__name__}: {error}"]
    print("\n".join(faults) or "the report is what the tree is", file=sys.stderr if faults else sys.stdout)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
