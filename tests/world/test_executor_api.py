"""Models asked over HTTP: what becomes of answers and of refusals, in each provider's language, from a real server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.executors.api import ApiExecutor
from orchestration.kinds import Failure
from orchestration.models import ApiAgent, ApiSettings, CliAgent, Task
from orchestration.results import Outcome, Usage
from tests.agents.stub_model import StubModel
from tests.agents.stub_steps import step
from tests.world.attempts import Ear, until_ready, work_for

pytestmark = pytest.mark.slow  # the providers' libraries take a second or two to import

SUFFIXES = {"openai": "/v1", "openai-responses": "/v1", "anthropic": "", "google": "", "mine": "/v1"}
PROVIDERS = tuple(SUFFIXES)
PATIENCE = 30.0  # seconds


@pytest.fixture(scope="module")
def model() -> Iterator[StubModel]:
    with StubModel() as served:
        yield served


def agent(model: StubModel, provider: str, *steps: str, label: str = "", **fields: Any) -> ApiAgent:  # noqa: ANN401
    base_url = model.url(*steps, label=label) + SUFFIXES[provider]
    return ApiAgent(provider=provider, model="m", base_url=base_url, api_key_env="KEY", **fields)


async def ask(folder: Path, asked: ApiAgent, ear: Ear | None = None, **fields: Any) -> Outcome:  # noqa: ANN401
    fields = {"timeout": PATIENCE, "environment": {"KEY": "sk-1"}, **fields}
    return await ApiExecutor().execute(work_for(folder, asked, **fields), ear or Ear())


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_answer_is_heard_piece_by_piece_and_counted(tmp_path: Path, model: StubModel, provider: str) -> None:
    ear, spent = Ear(), list[Usage]()
    asked = agent(model, provider, step("done", text="Hello you"), label=f"heard-{provider}")
    outcome = await ask(tmp_path, asked, ear, spent=spent.append)
    assert (outcome.failure, outcome.error, outcome.output, outcome.claim) == (None, None, "Hello you", "done")
    assert "".join(ear.items) == "Hello you"
    assert len(ear.items) > 1
    usage = outcome.usage
    assert usage is not None
    assert (usage.input_total, usage.cached_read, usage.output_total, usage.requests) == (1000, 400, 20, 1)
    assert (usage.cache_write, usage.reasoning) == ((50, 0) if provider == "anthropic" else (0, 5))
    assert (usage.cost_usd, usage.source) == (None, "reported")
    assert spent[-1] == usage
    assert outcome.metadata == {"model": "m", "provider": provider, "final_event": True}
    assert outcome.ended_by == "itself"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("refusal", "failure", "error_class"),
    [
        (step("401"), Failure.AUTH, None),
        (step("403"), Failure.AUTH, None),
        (step("404"), Failure.AGENT_MISSING, "not_found"),
        (step("400"), Failure.EXIT_CODE, "rejected"),
        (step("context"), Failure.EXIT_CODE, "context_overflow"),
        (step("429"), Failure.RATE_LIMITED, None),
        (step("500"), Failure.CRASHED, "server_error"),
        (step("503"), Failure.CRASHED, "unavailable"),
        (step("garbage"), Failure.INVALID_OUTPUT, None),
        (step("empty"), Failure.NO_OUTPUT, None),
        (step("cut"), Failure.CRASHED, "connection"),
    ],
)
async def test_what_goes_wrong_has_a_kind(
    tmp_path: Path, model: StubModel, provider: str, refusal: str, failure: Failure, error_class: str | None
) -> None:
    outcome = await ask(tmp_path, agent(model, provider, refusal))
    assert (outcome.failure, outcome.metadata.get("error_class")) == (failure, error_class)
    assert (outcome.error or "").startswith(("m at ", "the answer of m at "))
    assert outcome.claim is None
    assert "resets_at" not in outcome.metadata


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_nothing_is_tried_again_here(tmp_path: Path, model: StubModel, provider: str) -> None:
    for refusal in ("429", "500", "503"):
        label = f"once-{provider}-{refusal}"
        outcome = await ask(tmp_path, agent(model, provider, step(refusal, retry_after=0), label=label))
        assert outcome.failure is not None
        assert len(model.requests(label)) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_limit_says_when_it_ends(tmp_path: Path, model: StubModel, provider: str) -> None:
    soon = (await ask(tmp_path, agent(model, provider, step("429", retry_after=7)))).metadata
    assert soon["retry_after"] == 7
    assert soon["resets_at"].endswith("+00:00")
    if provider != "google":  # its way of telling is the body's alone
        later = (await ask(tmp_path, agent(model, provider, step("429", reset=3600)))).metadata
        assert later["retry_after"] == pytest.approx(3600, abs=60)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_refused_request_used_nothing_and_a_broken_one_something_unknown(
    tmp_path: Path, model: StubModel, provider: str
) -> None:
    assert (await ask(tmp_path, agent(model, provider, step("429")))).usage is None
    broken = await ask(tmp_path, agent(model, provider, step("cut", text="Half of it")))
    assert "Half of it".startswith(broken.output)
    assert broken.output
    assert broken.usage is not None
    assert broken.usage.source == ("reported" if broken.usage.input_total else "unknown")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_error_in_the_middle_of_an_answer_is_no_answer(
    tmp_path: Path, model: StubModel, provider: str
) -> None:
    outcome = await ask(tmp_path, agent(model, provider, step("inside", text="Half of it")))
    assert outcome.failure is Failure.CRASHED
    assert outcome.metadata["final_event"] is False


async def test_a_limit_in_the_middle_of_an_answer_is_a_limit(tmp_path: Path, model: StubModel) -> None:
    outcome = await ask(tmp_path, agent(model, "anthropic", step("inside", code="rate_limit_error")))
    assert outcome.failure is Failure.RATE_LIMITED


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
async def test_silence_ends_the_attempt(tmp_path: Path, model: StubModel, provider: str) -> None:
    asked = agent(model, provider, step("stall"))
    stalled, limit = await until_ready(
        lambda limit: ask(tmp_path, asked, idle_timeout=limit), lambda outcome: outcome.output
    )
    assert (stalled.failure, stalled.ended_by) == (Failure.IDLE_TIMEOUT, "idle_timeout")
    assert stalled.error == f"m at {provider} went silent for {limit:g} s"
    hung = await ask(tmp_path, agent(model, provider, step("hang")), idle_timeout=0.2)
    assert (hung.failure, hung.ended_by) == (Failure.IDLE_TIMEOUT, "first_output")
    assert hung.error == f"m at {provider} began no answer for 0.2 s"


async def test_an_answer_that_takes_too_long_is_ended_however_much_it_says(tmp_path: Path, model: StubModel) -> None:
    asked = agent(model, "openai", step("slow", ticks=1000, gap=0.05))
    outcome, limit = await until_ready(
        lambda limit: ask(tmp_path, asked, timeout=limit, idle_timeout=20), lambda outcome: outcome.output
    )
    assert (outcome.failure, outcome.ended_by) == (Failure.TIMEOUT, "timeout")
    assert outcome.error == f"m at openai did not finish its answer within the timeout of {limit:g} s"


async def test_the_time_that_a_listener_takes_is_not_the_models(tmp_path: Path, model: StubModel) -> None:
    async def attempt(limit: float) -> Outcome:
        async def slow(_item: object, _stream: str | None) -> None:
            await asyncio.sleep(1.4 * limit)

        work = work_for(tmp_path, asked, environment={"KEY": "k"}, idle_timeout=limit)
        return await ApiExecutor().execute(work, slow)

    asked = agent(model, "openai", step("done", text="Hello you"))
    outcome, _ = await until_ready(attempt, lambda outcome: outcome.failure is None)
    assert outcome.output == "Hello you"


async def test_a_listener_that_fails_is_no_failure_of_the_model(tmp_path: Path, model: StubModel) -> None:
    def fail(_item: object, _stream: str | None) -> None:
        raise ZeroDivisionError

    work = work_for(tmp_path, agent(model, "openai", step("done")), environment={"KEY": "k"})
    with pytest.raises(ZeroDivisionError):
        await ApiExecutor().execute(work, fail)


async def test_a_cancelled_attempt_tells_what_it_has_used(tmp_path: Path, model: StubModel) -> None:
    ear, kept = Ear(), list[Outcome]()
    asked = agent(model, "anthropic", step("stall", text="Half of it"))
    task = asyncio.create_task(ask(tmp_path, asked, ear, keep=kept.append))
    await ear.wait_for_item("Half ")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(outcome.failure, outcome.ended_by) for outcome in kept] == [(Failure.CANCELLED, "cancelled")]
    assert kept[0].output == "".join(ear.items)
    assert kept[0].usage is not None
    assert kept[0].usage.input_total > 0


async def test_declared_outputs_are_taken_from_the_end_of_the_answer(tmp_path: Path, model: StubModel) -> None:
    text = 'The version is 2.\n```json\n{"version": "2", "beside": 1}\n```'
    task = Task(id="T-1", title="t", outputs=("version",))
    outcome = await ask(tmp_path, agent(model, "openai", step("done", text=text)), task=task)
    assert outcome.outputs == {"version": "2"}
    assert outcome.output == text


async def test_an_agent_of_another_kind_is_asked_at_its_binding(tmp_path: Path, model: StubModel) -> None:
    bound = {"provider": "mine", "model": "m2", "base_url": model.url(step("done", text="Hi")) + "/v1"}
    executor = ApiExecutor(ApiSettings.model_validate({"bindings": {"the-agent": bound}}))
    outcome = await executor.execute(work_for(tmp_path, CliAgent(preset="codex")), Ear())
    assert (outcome.output, outcome.metadata["model"], outcome.metadata["provider"]) == ("Hi", "m2", "mine")


async def test_a_prompt_of_a_megabyte_arrives_whole(tmp_path: Path, model: StubModel) -> None:
    prompt = "ä word \n" * 130_000
    outcome = await ask(tmp_path, agent(model, "anthropic", step("done"), label="big"), prompt=prompt)
    assert outcome.succeeded
    assert prompt in model.requests("big")[0].asked.texts


async def test_many_are_asked_at_once(tmp_path: Path, model: StubModel) -> None:
    asked = agent(model, "openai", step("slow", ticks=3, gap=0.02), label="many")
    outcomes = await asyncio.gather(*(ask(tmp_path, asked) for _ in range(20)))
    assert {outcome.output for outcome in outcomes} == {"tick 0\ntick 1\ntick 2\nDONE"}


async def test_what_a_binding_leaves_out_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    nobody = await ask(tmp_path, ApiAgent())
    assert (nobody.failure, nobody.usage) == (Failure.AGENT_MISSING, None)
    keyless = await ask(tmp_path, ApiAgent(provider="openai", model="m", api_key_env="MINE"))
    assert keyless.failure is Failure.AUTH
    assert "the variable MINE" in (keyless.error or "")
