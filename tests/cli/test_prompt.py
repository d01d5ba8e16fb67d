"""`orch show --prompt`: what would be sent next, to the letter and without secrets; and what `orch show` tells."""

import pytest

from tests.cli.project import Project

pytestmark = pytest.mark.slow

SETTINGS = """
secrets: {TOKEN: {env: MY_TOKEN}}
agents:
  player: {kind: scripted, secrets: [TOKEN], script: [{save_prompt: got.txt}, {final: {verdict: good, text: fine}}]}
  other: {kind: scripted, script: [{final: {error: "not so"}}]}
  both: {kind: hybrid, strategy: race, agents: [player, other]}
"""
SECRET = "tok-0123456789abcdef"


def with_players(project: Project) -> dict[str, str]:
    project.settings(SETTINGS)
    return {**project.environment, "MY_TOKEN": SECRET}


def test_the_prompt_is_what_the_agent_really_gets(project: Project) -> None:
    environment = with_players(project)
    project.shell("A", "echo color=green >> $ORCH_OUTPUT; echo made")
    project.shell("B", "Paint it {{ tasks.A.outputs.color }}.\n\nNaïve?", "A", agent="player", acceptance=["It dries."])
    assert project.orch("execute-task", "A", environment=environment).code == 0
    before = project.state()
    shown = project.orch("show", "B", "--prompt", environment=environment)
    assert (shown.code, shown.err) == (0, "")
    assert "Paint it green." in shown.out
    assert "It dries." in shown.out
    assert project.state() == before
    told = project.orch("show", "B", "--prompt", "--json", environment=environment)
    assert (told.kind, told.data["task_id"]) == ("prompt", "B")
    assert told.data["prompt"] + "\n" == shown.out
    assert project.orch("execute-task", "B", environment=environment).code == 0
    assert (project.root / "got.txt").read_text(encoding="utf-8").strip() == told.data["prompt"].strip()


def test_secrets_are_masked_and_nothing_is_written(project: Project) -> None:
    environment = with_players(project)
    project.shell("A", f"Log in with {SECRET}.", agent="player")
    shown = project.orch("show", "A", "--prompt", environment=environment)
    assert shown.code == 0, shown.err
    assert "Log in with" in shown.out
    assert SECRET not in shown.out + shown.err
    assert not (project.root / ".orchestration").exists()


def test_the_next_attempt_is_told_what_failed(project: Project) -> None:
    environment = with_players(project)
    project.shell("A", "Make it so.", agent="other")
    assert project.orch("run-batch", environment=environment).code == 1
    assert "not so" not in project.orch("show", "A", "--prompt", environment=environment).out
    assert project.orch("retry", "A", environment=environment).code == 0
    assert "not so" in project.orch("show", "A", "--prompt", environment=environment).out


def test_another_agent_can_be_named_and_a_hybrid_one_shows_each_of_its_first_parts(project: Project) -> None:
    environment = with_players(project)
    project.shell("A", "echo hello")
    assert project.orch("show", "A", "--prompt", environment=environment).out == "echo hello\n"
    named = project.orch("show", "A", "--prompt", "--agent", "player", environment=environment)
    assert named.out.startswith("# ")
    hybrid = project.orch("show", "A", "--prompt", "--mode", "hybrid", environment=environment).out
    assert "--- A/leg-1 (player) ---" in hybrid
    assert "--- A/leg-2 (other) ---" in hybrid


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "B", "--prompt"], "no task B"),
        (["show", "A", "--prompt", "--agent", "nobody"], "there is no agent 'nobody'"),
        (["show", "A", "--agent", "player"], "belong to --prompt"),
        (["show", "T", "--prompt"], "missing"),
    ],
)
def test_what_cannot_be_shown_is_refused(project: Project, arguments: list[str], said: str) -> None:
    environment = with_players(project)
    project.shell("A", "hello", agent="player")
    project.shell("T", "{{ tasks.A.outputs.missing }}", "A", agent="player")
    done = project.orch(*arguments, environment=environment)
    assert (done.code, done.out) == (2, "")
    assert said in done.last


def test_a_result_that_waits_is_shown_and_approved_with_a_note(project: Project) -> None:
    environment = with_players(project)
    project.shell("A", "echo 'the \033[31mresult'", approve="after")
    project.shell("B", "true", approve="after")
    done = project.orch("run-batch", environment=environment)
    assert done.code == 4, done.err
    assert "needs you A  orch approve A, or orch reject A" in done.err
    assert done.last.endswith("then: orch approve A")
    shown = project.orch("show", "A").out
    assert "waits for a person:" in shown
    assert "the result" in shown
    assert "\033" not in shown
    assert project.orch("approve", "A", "--note", "well done").code == 0
    assert project.orch("reject", "B", "--note", "not good").code == 0
    results = {result["task_id"]: result for result in project.json("status")["tasks"]}
    assert results["A"]["status"] == "success"
    assert results["A"]["metadata"]["input"]["note"] == "well done"
    assert "not good" in results["B"]["error"]


def test_the_parts_of_a_task_are_shown_with_what_they_used(project: Project) -> None:
    environment = with_players(project)
    project.shell("A", "Race.", agent="both")
    done = project.orch("run-batch", environment=environment)
    assert done.code == 0, done.err
    assert "expands   A  race: leg-1 player, leg-2 other" in done.err
    assert "started     A/leg-1  player" in done.err
    assert "A/leg-1: done, by player" in project.orch("show", "A").out
    assert "| A/leg-1 | success |" in project.orch("report").out
