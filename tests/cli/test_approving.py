"""Tasks with `approve`: nobody gets around who is asked, whatever is said about the task, from wherever, and when."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cli.project import Project
from tests.crash.sudden import wait_until

pytestmark = pytest.mark.slow

MADE = 'echo made; echo k=v >> "$ORCH_OUTPUT"'


def status(project: Project, task_id: str) -> str:
    return str(result(project, task_id)["status"])


def result(project: Project, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = project.json("show", task_id)["result"]
    return found


def types(project: Project, task_id: str) -> list[tuple[str, int | None]]:
    """What happened to a task, each with the attempt that it is about."""
    events = map(json.loads, project.orch("events").out.splitlines())
    return [(event["type"], event["attempt"]) for event in events if event.get("task_id") == task_id]


@contextmanager
def asked(project: Project, task_id: str, *, live: bool) -> Iterator[None]:
    """A run in which the task waits for a person, whose owner is at work or gone; in the end the run is over."""
    if not live:
        assert project.orch("run-batch").code == 4
        yield
        return
    project.shell("LONG", "until test -e go; do sleep 0.05; done")
    with project.start("run-batch") as process:
        wait_until(lambda: project.orch("status", "--json").out.count('"needs_input"') > 0, "nobody is asked")
        yield
        assert status(project, task_id) in {"success", "failed", "cancelled", "needs_input"}
        (project.root / "go").touch()
        process.wait(30)


@pytest.mark.parametrize("live", [True, False])
def test_what_a_person_did_waits_for_approval_too(project: Project, live: bool) -> None:
    project.person("AI", approve="after", verify=["test ! -e bad"])
    project.shell("NEXT", 'cat "$ORCH_INPUTS"', "AI")
    with asked(project, "AI", live=live):
        (project.root / "bad").touch()
        assert project.orch("complete", "AI").code == 1
        (project.root / "bad").unlink()
        done = project.orch("complete", "AI", "--output", "my work", "--set", "k=v")
        assert done.code == 0, done.err
        assert "orch approve AI" in done.out
        assert status(project, "AI") == "needs_input"
        assert "my work" in result(project, "AI")["metadata"]["prompt"]
        assert "orch approve AI" in project.orch("why", "AI").out
        again = project.orch("complete", "AI", "--output", "other work")
        assert (again.code, "orch approve AI" in again.last) == (2, True)
        approved = project.orch("approve", "AI", "--by", "ada")
        assert approved.code == 0, approved.err
        found = result(project, "AI")
        assert (found["status"], found["output"], found["outputs"]) == ("success", "my work", {"k": "v"})
        assert [check["passed"] for check in found["checks"]] == [True]
    assert project.orch("run-batch").code == 0
    assert '"k": "v"' in project.orch("logs", "NEXT").out
    assert types(project, "AI") == [
        ("task_started", 1),
        ("task_needs_input", 1),
        ("task_input_given", 1),
        ("task_needs_input", 1),
        ("task_input_given", 1),
        ("task_completed", 1),
    ]


def test_what_a_person_did_and_another_one_rejects_is_asked_for_again_with_the_note(project: Project) -> None:
    project.person("AI", approve="after", retry={"max": 2, "backoff": 0})
    assert project.orch("run-batch").code == 4
    assert project.orch("complete", "AI", "-o", "sloppy").code == 0
    assert project.orch("reject", "AI", "--note", "say please").code == 0
    assert project.orch("run-batch").code == 4
    assert "say please" in result(project, "AI")["metadata"]["prompt"]
    assert project.orch("complete", "AI", "-o", "please").code == 0
    assert project.orch("reject", "AI", "--note", "never").code == 0
    found = result(project, "AI")
    assert (found["status"], found["failure"], len(found["attempts"])) == ("failed", "check_failed", 2)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("agent", ["shell", "interactive"])
def test_what_may_not_begin_yet_is_neither_done_nor_failed_by_anybody(project: Project, agent: str, live: bool) -> None:
    project.shell("BEF", "touch ran", agent=agent, approve="before")
    with asked(project, "BEF", live=live):
        for answer in (["complete", "BEF", "--set", "k=w"], ["fail", "BEF", "--reason", "no"]):
            refused = project.orch(*answer)
            assert (refused.code, "orch reject BEF" in refused.last) == (2, True), refused.err
        assert "orch approve BEF" in project.orch("complete", "BEF").last
        assert project.orch("complete", "BEF", "--json").data["code"] == "wrong_state"
        assert types(project, "BEF") == [("task_needs_input", None)]
        assert project.orch("reject", "BEF", "--note", "not now").code == 0
        assert status(project, "BEF") == "cancelled"
    assert not (project.root / "ran").exists()


def test_a_person_begins_after_the_approval_and_then_completes(project: Project) -> None:
    project.person("BEF", approve="before")
    assert project.orch("run-batch").code == 4
    assert project.orch("approve", "BEF").code == 0
    assert project.orch("complete", "BEF").code == 2
    assert project.orch("run-batch").code == 4
    assert project.orch("complete", "BEF").code == 0
    assert status(project, "BEF") == "success"


@pytest.mark.parametrize("live", [True, False])
def test_a_result_that_waits_for_approval_is_not_replaced(project: Project, live: bool) -> None:
    project.shell("AFT", MADE, approve="after", outputs=["k"], retry={"max": 2, "backoff": 0})
    project.shell("NEXT", 'cat "$ORCH_INPUTS"', "AFT")
    with asked(project, "AFT", live=live):
        for given in ([], ["--set", "k=w"]):
            refused = project.orch("complete", "AFT", *given)
            assert (refused.code, "orch approve AFT" in refused.last) == (2, True), refused.err
        refused = project.orch("fail", "AFT", "--reason", "no")
        assert (refused.code, "orch reject AFT" in refused.last) == (2, True), refused.err
        assert project.orch("approve", "AFT").code == 0
        found = result(project, "AFT")
        assert (found["output"], found["outputs"], found["exit_code"]) == ("made", {"k": "v"}, 0)
        assert found["log_path"]
    assert project.orch("run-batch").code == 0
    assert '"k": "v"' in project.orch("logs", "NEXT").out


def test_the_whole_waits_for_approval_when_a_person_did_a_part(project: Project) -> None:
    project.settings("""
agents:
  away: {kind: shell, command: ./not-there}
  careful: {kind: hybrid, strategy: fallback, agents: [away, interactive]}
""")
    project.shell("A", "Please look.", agent="careful", approve="after")
    assert project.orch("run-batch").code == 4
    assert project.orch("complete", "A/leg-2", "--output", "seen").code == 0
    assert project.orch("run-batch").code == 4
    assert project.orch("complete", "A").code == 2
    assert project.orch("approve", "A").code == 0
    assert (status(project, "A"), result(project, "A")["output"]) == ("success", "seen")


# -- after a crash ----------------------------------------------------------------------------------------------------


def crash(project: Project, **fields: object) -> None:
    """Have `orch` die while the task runs, which then asks a person."""
    project.shell("T", "touch begun; sleep 600", on_crash="ask", **fields)
    if fields.get("approve") == "before":
        assert project.orch("run-batch").code == 4
        assert project.orch("approve", "T").code == 0
    with project.start("run-batch") as process:
        wait_until((project.root / "begun").exists, "it does not begin")
        process.kill()
        process.wait(30)
    assert project.orch("run-batch").code == 4
    assert "on_crash: ask" in project.orch("why", "T").out


def test_after_a_crash_a_person_still_completes_what_was_approved_to_begin(project: Project) -> None:
    crash(project, approve="before")
    assert project.orch("complete", "T", "--set", "k=v").code == 0
    found = result(project, "T")
    assert (found["status"], found["outputs"]) == ("success", {"k": "v"})


def test_after_a_crash_a_person_still_fails_a_task(project: Project) -> None:
    crash(project)
    assert project.orch("fail", "T", "--reason", "gone").code == 0
    assert status(project, "T") == "failed"


def test_what_a_person_did_instead_of_a_crash_waits_for_approval_and_is_approved(project: Project) -> None:
    crash(project, approve="after")
    assert project.orch("complete", "T", "-o", "by hand").code == 0
    assert status(project, "T") == "needs_input"
    assert project.orch("run-batch").code == 4
    assert project.orch("complete", "T").code == 2
    assert project.orch("approve", "T").code == 0
    assert (status(project, "T"), result(project, "T")["output"]) == ("success", "by hand")
    assert project.orch("run-batch").code == 0


def test_what_a_person_did_instead_of_a_crash_is_rejected_and_done_again(project: Project) -> None:
    crash(project, approve="after", retry={"max": 3, "backoff": 0})
    assert project.orch("complete", "T", "-o", "by hand").code == 0
    assert project.orch("reject", "T", "--note", "by the machine, please").code == 0
    project.shell("T", "echo again", on_crash="ask", approve="after", retry={"max": 3, "backoff": 0})
    assert project.orch("run-batch").code == 4
    assert project.orch("approve", "T").code == 0
    assert (status(project, "T"), result(project, "T")["output"]) == ("success", "again")
