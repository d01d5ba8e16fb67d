"""Real agents at work for `orch`: what they did is what counts, and what they used is known."""

import pytest

from tests.agents.driving import Workbench
from tests.agents.programs import NAMES
from tests.agents.stub_steps import step

pytestmark = pytest.mark.slow

JSON = NAMES[:3]  # those that report their sessions and their tokens exactly
WRITES = 'test "$(cat hello.txt)" = hello'

every_agent = pytest.mark.parametrize("agent", NAMES)
json_agents = pytest.mark.parametrize("agent", JSON)


@every_agent
def test_a_task_is_done_when_its_file_is_there_and_its_check_says_so(bench: Workbench) -> None:
    bench.prepare(step("write", path="hello.txt"), step("done"), verify=[WRITES])
    done = bench.run_batch()
    assert done.code == 0, done.err
    assert done.result["status"] == "success"
    assert [check["passed"] for check in done.result["checks"]] == [True]
    assert (bench.root / "hello.txt").read_text() == "hello\n"
    metadata = done.attempts[0]["metadata"]
    assert metadata["agent_version"] == bench.program.version
    assert metadata["adapter"] == bench.program.name


@json_agents
def test_every_token_is_counted_once(bench: Workbench) -> None:
    bench.prepare(step("write", path="hello.txt"), step("done"))
    usage = bench.run_batch().result["usage"]
    assert usage["input_total"] == 1000 + 1100
    assert usage["cached_read"] == 400 + 400
    assert usage["output_total"] == 20 + 21
    assert usage["source"] in {"reported", "computed", "unknown"}


@every_agent
def test_saying_done_without_doing_it_is_a_failed_check(bench: Workbench) -> None:
    bench.prepare(step("done", text="All done, the file is there."), verify=[WRITES])
    done = bench.run_batch()
    assert done.code == 1
    assert done.result["failure"] == "check_failed"


@pytest.mark.parametrize("agent", ["claude-code"])
def test_a_refused_permission_is_no_success_though_the_agent_ends_well(bench: Workbench) -> None:
    agent = {"permission": "write"}
    bench.prepare(step("shell", cmd="python3 -c 'print(1)'"), step("done", text="I could not"), agent=agent)
    done = bench.run_batch()
    assert done.code == 1
    assert done.result["failure"] == "permission"
    assert "Bash" in str(done.attempts[0]["metadata"]["permission_denials"])


@json_agents
def test_a_retry_goes_on_in_the_same_session_and_counts_only_what_is_new(bench: Workbench) -> None:
    bench.prepare(
        step("done", text="FIRST-ANSWER"),
        step("write", path="hello.txt"),
        step("done"),
        verify=[WRITES],
        retry={"max": 2, "on": ["check_failed"], "backoff": 0, "session": "resume"},
    )
    done = bench.run_batch()
    assert done.code == 0, done.err
    first, second = done.attempts
    assert first["failure"] == "check_failed"
    assert first["session_id"] == second["session_id"]
    said = bench.model.requests()[1].asked.texts
    assert any("FIRST-ANSWER" in text for text in said)  # it remembers what it said
    assert [first["usage"]["input_total"], second["usage"]["input_total"]] == [1000, 1100 + 1200]
    assert [first["usage"]["output_total"], second["usage"]["output_total"]] == [20, 21 + 22]
    assert done.data["usage"]["input_total"] == 1000 + 1100 + 1200


@json_agents
def test_a_fresh_retry_knows_nothing_of_the_attempt_before_but_what_it_is_told(bench: Workbench) -> None:
    bench.prepare(
        step("done", text="FIRST-ANSWER"),
        step("write", path="hello.txt"),
        step("done"),
        verify=[WRITES],
        retry={"max": 2, "on": ["check_failed"], "backoff": 0},
    )
    done = bench.run_batch()
    assert done.code == 0, done.err
    first, second = done.attempts
    assert first["session_id"] != second["session_id"]


@json_agents
def test_nothing_of_the_shell_reaches_a_tool_unless_it_is_named(bench: Workbench) -> None:
    bench.prepare(step("shell", cmd="env > seen.txt"), step("done"))
    bench.environment["DATABASE_PASSWORD"] = "hunter2-hunter2"
    assert bench.run_batch().code == 0
    seen = (bench.root / "seen.txt").read_text()
    assert "ORCH_ATTEMPT_ID=" in seen
    assert "hunter2-hunter2" not in seen
