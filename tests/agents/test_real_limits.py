"""Real agents and what they may use, see and be told: budgets, turns, long prompts, secrets."""

import pytest

from tests.agents.driving import Workbench
from tests.agents.programs import QUICK
from tests.agents.stub_steps import step

pytestmark = pytest.mark.slow

SECRET = "tok-4f9d1c77e2ab-made-up"
FOR_EVER = step("shell", cmd="true")
DONE = step("done")

quick_agents = pytest.mark.parametrize("agent", QUICK)
claude_code = pytest.mark.parametrize("agent", ["claude-code"])  # it reports and limits itself while it works


@claude_code
def test_a_budget_that_is_spent_ends_the_agent_in_the_middle(bench: Workbench) -> None:
    bench.prepare(FOR_EVER, budget={"tokens": 20_000})
    done = bench.run_batch()
    assert done.code == 3, done.err
    assert done.result["failure"] == "budget"
    used = done.data["usage"]
    assert used["input_total"] + used["output_total"] > 20_000
    assert len(bench.model.requests()) < 200


@claude_code
def test_an_agent_that_takes_too_many_turns_says_so(bench: Workbench) -> None:
    bench.prepare(FOR_EVER, agent={"max_turns": 2})
    done = bench.run_batch()
    assert done.code == 1
    assert done.attempts[0]["metadata"]["error_class"] == "max_turns"
    assert len(bench.model.requests()) == 2


@claude_code
def test_an_agent_that_spent_what_it_was_allowed_to_is_over_its_budget(bench: Workbench) -> None:
    bench.prepare(FOR_EVER, agent={"max_cost_usd": 0.004})
    done = bench.run_batch()
    assert done.result["failure"] == "budget"
    assert done.result["usage"]["cost_usd"] > 0.004


@quick_agents
def test_a_prompt_of_nearly_a_megabyte_arrives_whole(bench: Workbench) -> None:
    text = "\n".join(f"line {number} of a long description" for number in range(29_000))
    bench.prepare(DONE, description=text)
    assert len(text) > 900_000
    done = bench.run_batch()
    assert done.code == 0, done.err
    asked = bench.model.requests()[0].asked
    assert any(text in said for said in asked.texts)


@quick_agents
def test_a_named_secret_reaches_the_agent_and_is_seen_nowhere_else(bench: Workbench) -> None:
    shows = step("shell", cmd='printf %s "$DEPLOY_TOKEN" > got.txt; echo "it is $DEPLOY_TOKEN"')
    settings = {"secrets": {"DEPLOY_TOKEN": {"env": "REAL_TOKEN"}}}
    bench.prepare(
        shows, step("done", text=f"The token is {SECRET}."), agent={"secrets": ["DEPLOY_TOKEN"]}, settings=settings
    )
    bench.environment["REAL_TOKEN"] = SECRET
    done = bench.run_batch()
    assert done.code == 0, done.err
    assert (bench.root / "got.txt").read_text() == SECRET
    assert SECRET not in done.out + done.err
    kept = [path for path in (bench.root / ".orchestration").rglob("*") if path.is_file()]
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []
    assert any(b"it is" in path.read_bytes() for path in kept)  # the words around it are there
