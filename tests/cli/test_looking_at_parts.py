"""Looking at tasks that became several, and at what is yielded instead of printed."""

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow

AGENTS = """
agents:
  quick: {kind: shell, command: until test -e said; do sleep 0.01; done; echo quick}
  slow: {kind: shell, command: echo slow; touch said; sleep 30}
  both: {kind: hybrid, strategy: race, agents: [slow, quick]}
  counter: {kind: python, function: "counting:count"}
"""


def test_the_logs_of_a_task_with_parts_are_those_of_the_part_that_did_it(project: Project) -> None:
    project.settings(AGENTS)
    project.shell("A", "", agent="both")
    assert project.orch("run-batch").code == 0
    assert project.orch("logs", "A").out == "quick\n"
    assert project.orch("logs", "A/leg-1").out == "slow\n"
    assert project.orch("logs", "A/leg-9").code == 2


def test_a_part_can_be_asked_why_it_is_as_it_is(project: Project) -> None:
    project.settings(AGENTS)
    project.shell("A", "", agent="both")
    project.orch("run-batch")
    assert "lost the race to A/leg-2" in project.orch("why", "A/leg-1").out
    whole = project.orch("why", "A").out
    assert "Part A/leg-1 by slow: cancelled" in whole
    assert "Part A/leg-2 by quick: success" in whole
    assert project.orch("why", "A/leg-9").code == 2
    assert project.orch("why", "B/leg-1").code == 2


def test_what_a_function_yields_is_its_log_where_it_prints_nothing(project: Project) -> None:
    project.settings(AGENTS)
    project.write("counting.py", "def count():\n    yield 'one, '\n    yield 'two\\n'\n    yield {'three': 3}\n")
    project.shell("A", "", agent="counter")
    assert project.orch("run-batch").code == 0
    assert project.orch("logs", "A").out == 'one, two\n{"three": 3}\n'


def test_who_waits_for_a_persons_word_on_a_result_is_told_what_to_do(project: Project) -> None:
    project.shell("A", "echo made", approve="after")
    assert project.orch("run-batch").code == 4
    assert "orch approve A" in project.orch("why", "A").out


def test_who_is_asked_before_the_work_reads_what_would_be_done(project: Project) -> None:
    project.shell("A", "rm -rf build", approve="before", title="Clean up", verify=["test ! -e build"])
    done = project.orch("run-batch", "--json")
    assert done.code == 4
    prompt = done.data["results"][0]["metadata"]["prompt"]
    assert prompt == "May A start? Clean up\n\nBy: shell\n\nrm -rf build\n\nChecked by: test ! -e build"
