"""The programs of the example that judge and report, on the inputs that they would stumble over."""

import io
import json
from datetime import date, timedelta
from importlib.metadata import PathDistribution
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import audit, gate, history, licences, protocol, seal, spdx, svg
from agents.facts import save
from agents.report import html, markdown
from agents.report.document import Chapter, Figure, Report, table


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the agents work."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -- licences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("mit", True),
        ("GPL-3.0-or-later", False),
        ("Apache-2.0 OR GPL-3.0", True),
        ("Apache-2.0 AND GPL-3.0", False),
        ("GPL-3.0 AND MIT OR MIT", True),
        ("(MIT OR GPL-3.0) AND (GPL-3.0 OR Apache-2.0)", True),
        ("MIT AND (GPL-3.0 AND MIT)", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0 WITH Classpath-exception-2.0", False),
        ("unknown", False),
    ],
)
def test_an_expression_is_allowed_if_allowed_licences_satisfy_it(expression: str, allowed: bool) -> None:
    assert spdx.allows(expression, ["MIT", "Apache-2.0"]) is allowed


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: something", "MIT OR Apache-2.0"),
        ("License: BSD 3-Clause", "BSD-3-Clause"),
        ("Classifier: License :: OSI Approved :: ISC License (ISCL)", "ISC"),
        ("Classifier: License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", "LGPL-3.0"),
        ("Classifier: License :: DFSG approved\nClassifier: License :: OSI Approved :: MIT License", "MIT"),
        ("License: Proprietary, with limits", "unknown"),
        ("Summary: nothing is said", "unknown"),
    ],
)
def test_the_licence_of_a_package_is_what_its_metadata_says(tmp_path: Path, metadata: str, licence: str) -> None:
    (tmp_path / "x-1.dist-info").mkdir()
    (tmp_path / "x-1.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.4\nName: x\nVersion: 1\n{metadata}\n")
    assert licences.licence_of(PathDistribution(tmp_path / "x-1.dist-info")) == licence


@pytest.mark.parametrize("settings", [None, "no [ toml", "[tool.x]", "project = 1", "[project]\ndependencies = []"])
def test_a_tree_that_declares_nothing_depends_on_nothing(tmp_path: Path, settings: str | None) -> None:
    if settings is not None:
        (tmp_path / "pyproject.toml").write_text(settings)
    facts = licences.survey(tmp_path, ["MIT"])
    assert (facts["dependencies"], facts["tree"]["file"]) == ([], None)


# -- history ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=40))
def test_periods_have_no_gaps_and_hold_every_commit_that_is_shown(offsets: list[int]) -> None:
    days = [date(2020, 2, 29) + timedelta(offset) for offset in offsets]
    name, bars = history.periods(days)
    starts = [date.fromisoformat(one["start"]) for one in bars]
    assert starts == sorted(set(starts))
    assert sum(one["commits"] for one in bars) == sum(day >= starts[0] for day in days)
    assert len(bars) <= {"day": history.DAYS + 1, "week": history.WEEKS + 1, "month": history.MONTHS}[name]
    assert bars[-1]["commits"] > 0


# -- charts, report and their checks ---------------------------------------------------------------------------------


@given(st.integers(0, 10**9))
def test_the_steps_of_an_axis_are_few_and_reach_its_highest_value(highest: int) -> None:
    step, top = svg.scale_of(highest)
    assert top >= max(1, highest)
    assert top % step == 0
    assert 1 <= top // step <= 5


def test_a_chart_is_well_formed_whatever_the_labels() -> None:
    rows = [svg.Row("a <b> & \x1b[31m \ud800" + "x" * 99, (1, 2)), svg.Row("", (0, 0))]
    chart = ET.fromstring(svg.bars("Title <&>", "note", ("one", "two"), rows))  # noqa: S314  # our own
    assert audit.drawn(chart) == 3
    empty = ET.fromstring(svg.columns("None", "nothing to draw", "", []))  # noqa: S314  # our own
    assert audit.drawn(empty) == 0


def test_what_comes_from_the_tree_stays_text_in_both_renderings() -> None:
    nasty = "<script>alert(1)</script> | **b** [x](y)\x00\n# h"
    chapter = Chapter("Part", (nasty,), table("a | n", [(nasty, 1), ("b", 2)]))
    report = Report(nasty, nasty, passed=True, verdict=nasty, figures=(Figure("a.b", "c", 1000),), chapters=(chapter,))
    page = html.render(report, {})
    ET.fromstring(page)  # noqa: S314  # our own
    assert "<script>" not in page
    text = markdown.render(report)
    assert [line for line in text.split("\n") if line.startswith("#")] == [
        "# \\<script\\>alert(1)\\</script\\> \\| \\*\\*b\\*\\* \\[x\\](y)\N{REPLACEMENT CHARACTER} \\# h",
        "## Part",
    ]
    assert "| c | 1,000 |" in text


@pytest.mark.usefixtures("here")
def test_the_gate_names_each_limit_that_is_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    save("links", {"broken": ["a", "b"], "share": 0.5})
    outputs = gate.judge({"links.broken": 1, "links.share": 0.5}, {"links.broken": 2})
    assert outputs == {"limits": 3, "broken": 1}
    assert gate.main() == 1
    assert capsys.readouterr().err == "links.broken is 2, but may be at most 1\n"
    with pytest.raises(KeyError, match=r"no fact is called 'links\.nothing'"):
        gate.judge({"links.nothing": 1}, {})


@pytest.mark.usefixtures("here")
def test_a_gate_without_limits_does_not_open() -> None:
    gate.judge({}, {})
    assert gate.main() == 1


def test_a_seal_breaks_when_a_file_changes_or_goes(here: Path) -> None:
    assert seal.faults(here / "out") == [f"{here / 'out'} has no SHA256SUMS"]
    (here / "out").mkdir()
    (here / "out" / "a b.txt").write_text("1")
    seal.seal(["a b.txt"])
    assert seal.faults(Path("out")) == []
    (here / "out" / "a b.txt").write_text("2")
    assert seal.faults(Path("out")) == ["out/a b.txt was changed after it was made"]
    (here / "out" / "a b.txt").unlink()
    assert seal.faults(Path("out")) == ["out/a b.txt is not there"]


@pytest.mark.parametrize(
    ("stdin", "code", "status"),
    [('{"inputs": {"n": 1}}', 0, "success"), ("{}", 1, "failed"), ("[]", 3, "failed"), ("no JSON", 3, "failed")],
)
def test_a_script_agent_answers_every_task_with_one_object(
    stdin: str,
    code: int,
    status: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    assert protocol.answer(lambda inputs: ("done", {"n": inputs["n"]})) == code
    assert json.loads(capsys.readouterr().out)["status"] == status
