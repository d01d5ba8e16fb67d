"""Real agents in trouble: limits, errors, streams that break off or fall silent. None of it looks like success."""

import pytest

from tests.agents.driving import Workbench
from tests.agents.programs import NAMES, QUICK
from tests.agents.stub_steps import step

pytestmark = pytest.mark.slow

WRITES = "test -f hello.txt"
WRITE, DONE = step("write", path="hello.txt"), step("done")
SHARED = {"accounts": {"shared": {"backoff": {"initial": 0.5, "factor": 1}, "max_wait": 30}}}

every_agent = pytest.mark.parametrize("agent", NAMES)
quick_agents = pytest.mark.parametrize("agent", QUICK)  # their own retries can be switched off
patient_agents = pytest.mark.parametrize("agent", [name for name in NAMES if name not in QUICK])


@quick_agents
def test_a_limit_is_waited_for_and_is_no_failed_attempt(bench: Workbench) -> None:
    bench.prepare(step("429", n=2), WRITE, DONE, agent={"account": "shared"}, settings=SHARED, verify=[WRITES])
    done = bench.run_batch()
    assert done.code == 0, done.err
    assert [attempt.get("failure") for attempt in done.attempts] == ["rate_limited", "rate_limited", None]
    assert len(bench.model.requests()) == 4  # two refusals, no request beyond them, then the work


@pytest.mark.parametrize("agent", ["codex"])
def test_a_limit_that_says_when_it_ends_is_waited_for_so_long(bench: Workbench) -> None:
    late = {"accounts": {"shared": {"backoff": {"initial": 0.1, "factor": 1}}}}
    refused = step("inside", code="rate_limit_exceeded")  # "Please try again in 2s."
    bench.prepare(refused, WRITE, DONE, agent={"account": "shared"}, settings=late, verify=[WRITES])
    done = bench.run_batch()
    assert done.code == 0, done.err
    assert done.attempts[0]["metadata"]["retry_after"] == 2
    first, second, *_ = bench.model.requests()
    assert second.seconds - first.seconds >= 1.9


@pytest.mark.parametrize("agent", ["codex"])
def test_a_limit_that_ends_too_late_to_wait_for_ends_the_run_for_now(bench: Workbench) -> None:
    settings = {"accounts": {"shared": {"max_wait": 5}}}
    bench.prepare(step("429", reset=7200), DONE, agent={"account": "shared"}, settings=settings)
    done = bench.run_batch()
    assert done.code == 75, done.err
    assert len(bench.model.requests()) == 1


@quick_agents
def test_an_error_of_the_service_is_a_failure_with_its_words(bench: Workbench) -> None:
    bench.prepare(step("500"), DONE)
    done = bench.run_batch()
    assert done.code == 1
    assert done.result["failure"] == "exit_code"
    assert done.attempts[0]["metadata"]["error_class"] == "server_error"
    assert done.result["error"]


@every_agent
def test_a_wrong_key_is_told_apart_and_not_tried_again(bench: Workbench) -> None:
    bench.prepare(step("401"), DONE, retry={"max": 3, "backoff": 0})
    done = bench.run_batch()
    assert done.code == 1
    assert done.result["failure"] == "auth"
    assert len(done.attempts) == 1


@pytest.mark.parametrize("agent", ["codex", "claude-code", "aider"])
def test_a_prompt_that_is_too_long_for_the_model_says_so(bench: Workbench) -> None:
    bench.prepare(step("context"), DONE)
    done = bench.run_batch()
    assert done.code == 1
    assert done.result["failure"] == "exit_code"
    assert done.attempts[0]["metadata"]["error_class"] == "context_overflow"


@quick_agents
def test_a_stream_that_breaks_off_is_a_failure(bench: Workbench) -> None:
    bench.prepare(step("cut"))
    done = bench.run_batch()
    assert done.code == 1
    assert done.result["failure"] == "exit_code"


@quick_agents
def test_a_stream_that_breaks_off_is_mended_by_an_agent_that_may_retry(bench: Workbench) -> None:
    bench.prepare(step("cut"), WRITE, DONE, agent={"own_retries": True}, verify=[WRITES])
    done = bench.run_batch()
    assert done.code == 0, done.err
    assert len(done.attempts) == 1
    assert len(bench.model.requests()) == 3


@quick_agents
def test_a_broken_stream_is_tried_again_when_the_task_says_so(bench: Workbench) -> None:
    bench.prepare(step("cut", n=2), step("500", n=2), WRITE, DONE, verify=[WRITES], retry={"max": 5, "backoff": 0})
    done = bench.run_batch()
    assert done.code == 0, done.err
    assert {attempt.get("failure") for attempt in done.attempts} == {"exit_code", None}


@every_agent
def test_a_stream_that_falls_silent_is_ended_at_the_idle_limit(bench: Workbench) -> None:
    bench.prepare(step("stall"), idle_timeout=8)
    done = bench.run_batch()
    assert done.code == 1
    assert done.result["failure"] == "idle_timeout"
    assert bench.left_behind() == []


@quick_agents
def test_an_empty_answer_is_no_success(bench: Workbench) -> None:
    bench.prepare(step("empty"))
    done = bench.run_batch()
    assert done.code == 1
    assert done.result["failure"] == "no_output"


@quick_agents
def test_an_answer_that_is_none_is_a_failure(bench: Workbench) -> None:
    bench.prepare(step("garbage"))
    done = bench.run_batch()
    assert done.code == 1
    assert done.result["failure"] == "exit_code"


@patient_agents
def test_an_agent_that_repeats_by_itself_gets_over_a_short_limit(bench: Workbench) -> None:
    bench.prepare(step("429", retry_after=1), WRITE, DONE, agent={"own_retries": True}, verify=[WRITES])
    done = bench.run_batch()
    assert done.code == 0, done.err
