"""The example of the README, run as its reader runs it: on a tree whose numbers are known, and on this project."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.cli.project import Done, Project
from tests.docs import small_tree

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "quickstart"
RUN = ("run-batch", "--max-concurrent", "3")
NEEDS_PERSON = 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="the small tree is a git checkout"),
]


def copied(place: Path, tree: Path | None) -> Project:
    """A copy of the example without what earlier runs left; python3 is the interpreter of these tests."""
    shutil.copytree(EXAMPLE, place, ignore=shutil.ignore_patterns("out", ".orchestration", "__pycache__"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    source = {"SOURCE_TREE": str(tree)} if tree else {}
    return Project(place, {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb", **source})


@pytest.fixture(scope="module")
def reviewable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Done]:
    """The example after its first run on the small tree; nobody may change it."""
    folder = tmp_path_factory.mktemp("a quick start")
    project = copied(folder / "example", small_tree.plant(folder / "tree"))
    return project, project.orch(*RUN, "--json")


@pytest.fixture
def project(reviewable: tuple[Project, Done], tmp_path: Path) -> Project:
    """A copy of that, to go on with."""
    before, _ = reviewable
    shutil.copytree(before.root, tmp_path / "example")
    return Project(tmp_path / "example", before.variables)


def results(run: Done) -> dict[str, dict[str, Any]]:
    return {result["task_id"]: result for result in run.data["results"]}


def states(run: Done) -> dict[str, str]:
    return {task_id: result["status"] for task_id, result in results(run).items()}


def facts(project: Project, name: str) -> Any:  # noqa: ANN401  # whatever was found
    return json.loads((project.root / "out" / "facts" / f"{name}.json").read_text(encoding="ascii"))


def put(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_first_run_leaves_nothing_but_the_review_and_what_needs_it(reviewable: tuple[Project, Done]) -> None:
    _, run = reviewable
    assert run.code == NEEDS_PERSON, run.err
    left = {task_id: status for task_id, status in states(run).items() if status != "success"}
    assert left == {"REVIEW-001": "needs_input", "PUBLISH-001": "pending"}
    assert len(states(run)) == 15
    assert "orch complete REVIEW-001" in run.last


def test_agents_of_four_kinds_did_the_work(reviewable: tuple[Project, Done]) -> None:
    project, run = reviewable
    agents = yaml.safe_load((project.root / "orchestration.yaml").read_text(encoding="utf-8"))["agents"]
    kinds = {
        agents.get(result["agent"], {"kind": "shell"})["kind"] for result in results(run).values() if result["agent"]
    }
    assert kinds == {"shell", "script", "python", "interactive"}


def test_the_first_reading_fails_and_the_second_agrees_with_it(reviewable: tuple[Project, Done]) -> None:
    _, run = reviewable
    first, second = results(run)["INDEX-001"]["attempts"]
    assert (first["status"], first["failure"], first["exit_code"]) == ("failed", "exit_code", 75)
    assert "there is no earlier reading" in first["error"]
    assert second["status"] == "success"


def test_the_numbers_are_those_of_the_tree(reviewable: tuple[Project, Done]) -> None:
    project, run = reviewable
    total = facts(project, "measure")["total"]
    assert total["lines"] == sum(text.count("\n") for text in small_tree.FILES.values()) == small_tree.TOTAL
    assert (total["words"], total["blank"]) == (small_tree.WORDS, small_tree.BLANK)
    assert {kind: count["lines"] for kind, count in facts(project, "measure")["kinds"].items()} == small_tree.LINES
    values = run.data["outputs"]
    named = (
        "files",
        "lines",
        "functions",
        "modules",
        "circles",
        "tests",
        "links",
        "broken",
        "marks",
        "commits",
        "authors",
    )
    assert [int(values[name]) for name in named] == [9, 55, 6, 4, 0, 2, 4, 0, 1, 2, 2]
    assert values["licence"] == "MIT"
    assert values["hottest"] == "tiny/shapes.py"


def test_the_dependencies_are_known_or_said_to_be_unknown(reviewable: tuple[Project, Done]) -> None:
    project, _ = reviewable
    found = {one["name"]: one["licence"] for one in facts(project, "licences")["dependencies"]}
    assert found == {"pyyaml": "MIT", "never-made-by-anyone": "not installed here"}


def test_the_report_is_one_page_with_four_charts_that_add_up(reviewable: tuple[Project, Done]) -> None:
    project, _ = reviewable
    page = ET.parse(project.root / "out" / "report.html").getroot()  # noqa: S314  # made by ourselves
    shown = {node.get("data-fact"): node.text for node in page.iter() if node.get("data-fact")}
    assert shown["measure.total.lines"] == str(small_tree.TOTAL)
    svg = "{http://www.w3.org/2000/svg}"
    sums = [sum(int(bar.get("data-value", 0)) for bar in chart.iter(f"{svg}rect")) for chart in page.iter(f"{svg}svg")]
    assert sums == [small_tree.TOTAL, 6, 2, 2]  # lines, functions, tests, commits
    text = (project.root / "out" / "report.md").read_text(encoding="utf-8")
    assert "| lines | 55 |" in text


def test_after_the_review_it_is_published_and_then_all_is_done(project: Project) -> None:
    completed = project.orch("complete", "REVIEW-001", "--output", "Reads well, says <Ada>.")
    assert completed.code == 0, completed.err

    second = project.orch(*RUN, "--json")
    assert second.code == 0, second.err
    assert set(states(second).values()) == {"success"}
    published = project.root / "out" / "published"
    for name in ("report.html", "report.md", "charts/history.svg", "SHA256SUMS"):
        assert (published / name).read_bytes() == (project.root / "out" / name).read_bytes()
    assert "Reads well, says <Ada>." in (published / "PUBLISHED.md").read_text(encoding="utf-8")

    third = project.orch(*RUN)
    assert third.code == 0, third.err
    assert "all 15 tasks are done" in third.out


def test_a_report_that_was_changed_by_hand_is_not_passed(project: Project) -> None:
    page = project.root / "out" / "report.html"
    put(page, ">55<", ">56<")
    refused = project.orch("complete", "REVIEW-001", "--output", "Reads well.")
    assert refused.code == 1
    assert "agents.seal" in refused.last

    put(page, ">56<", ">55<")
    assert project.orch("complete", "REVIEW-001", "--output", "Reads well.").code == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("report.html", 'data-fact="functions.count">6', 'data-fact="functions.count">7', "the page says functions: 7"),
        ("report.html", 'class="verdict good"', 'class="verdict bad"', "the gate does not: was it mended since?"),
        ("report.html", "</main>", "", "the report cannot be read: ParseError"),
        ("report.html", 'href="#tests"', 'href="#test"', "the page has no part #test"),
        ("report.md", "| tests | 2 |", "| tests | 3 |", "the Markdown does not say tests: 2"),
        ("report.md", "(charts/history.svg)", "(charts/story.svg)", "charts/story.svg is not there"),
        ("charts/tests.svg", 'data-value="2"', 'data-value="1"', "the bars of chart tests add up to 1, not to 2"),
        (
            "facts/measure.json",
            f'"lines": {small_tree.TOTAL}',
            '"lines": 54',
            "the kinds add up to 55 for lines, not to 54",
        ),
        (".snapshot/README.md", "# Tiny\n", "", "the files have 54 lines, the report says 55"),
    ],
)
def test_the_audit_finds_what_does_not_agree(project: Project, file: str, old: str, new: str, fault: str) -> None:
    assert audited(project) == (0, "the report is what the tree is\n")
    put(project.root / "out" / file, old, new)
    code, said = audited(project)
    assert code == 1
    assert fault in said


def audited(project: Project) -> tuple[int, str]:
    command = [sys.executable, "-m", "agents.audit"]
    done = subprocess.run(
        command, cwd=project.root, env=project.environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_broken_link_stops_at_the_gate_and_stands_in_the_report(project: Project, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    small_tree.plant(tree)
    put(tree / "README.md", "docs/use.md#how", "docs/abuse.md#how")
    broken = Project(project.root, {**project.variables, "SOURCE_TREE": str(tree)})

    run = broken.orch(*RUN, "--force", "--json")

    assert run.code == 1, run.err
    gate = results(run)["GATE-001"]
    assert (gate["status"], gate["failure"]) == ("failed", "check_failed")
    assert "links.broken is 1, but may be at most 0" in gate["error"]
    assert (states(run)["REPORT-001"], states(run)["REVIEW-001"], states(run)["PUBLISH-001"]) == (
        "success",
        "blocked",
        "blocked",
    )
    text = (broken.root / "out" / "report.md").read_text(encoding="utf-8")
    assert "5 of 6 limits kept" in text
    assert "docs/abuse.md" in text


def test_a_tree_without_history_is_reported_as_such(tmp_path: Path) -> None:
    tree = small_tree.plant(tmp_path / "tree")
    shutil.rmtree(tree / ".git")
    project = copied(tmp_path / "example", tree)

    run = project.orch(*RUN, "--json")

    assert run.code == NEEDS_PERSON, run.err
    assert int(run.data["outputs"]["lines"]) == small_tree.TOTAL
    text = (project.root / "out" / "report.md").read_text(encoding="utf-8")
    assert "There is no history to summarise" in text
    assert "ranked by complexity alone" in text


def test_a_part_that_could_not_be_had_is_named_and_nobody_is_asked(tmp_path: Path) -> None:
    project = copied(tmp_path / "example", small_tree.plant(tmp_path / "tree"))
    put(project.root / "tasks" / "surveys.yaml", "agent: test-counter", "agent: test-counter\n    verify: ['false']")

    run = project.orch(*RUN, "--json")

    assert run.code == 1, run.err
    assert states(run)["REPORT-001"] == "success"
    assert states(run)["REVIEW-001"] == "blocked"
    text = (project.root / "out" / "report.md").read_text(encoding="utf-8")
    assert "tests: TESTS-001 is failed" in text
    assert "gate: GATE-001 is blocked" in text


def test_this_project_keeps_its_own_limits(tmp_path: Path) -> None:
    """In a copy of all of it, below a path with spaces, with the surveyed tree left to its default."""
    if not (ROOT / ".git").exists():
        pytest.skip("this copy of the sources is not a git checkout")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    names = [name for name in listed if name and (ROOT / name).is_file()]
    copy = tmp_path / "a copy of it"
    for name in names:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    project = Project(copy / "examples" / "quickstart", {"PATH": path})

    run = project.orch(*RUN, "--json")

    links = [f"{one['file']}:{one['line']}: {one['target']}" for one in facts(project, "links")["broken"]]
    assert run.code == NEEDS_PERSON, (results(run)["GATE-001"]["error"], links)
    counted = sum((copy / name).read_bytes().count(b"\n") for name in names)
    assert abs(int(run.data["outputs"]["lines"]) - counted) <= len(names)  # files may lack their last newline
