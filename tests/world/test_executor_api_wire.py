"""Models asked over HTTP: what goes over the wire and what of our surroundings does not, and answers of rarer sorts."""

import asyncio
import json
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration.executors import api
from orchestration.executors._api_http import proxy_for
from orchestration.executors.api import ApiExecutor
from orchestration.kinds import Failure
from orchestration.models import ApiAgent
from orchestration.results import Outcome
from tests.world.api_wire import BEGUN, Wire, events, said, whole, wire
from tests.world.attempts import Ear, work_for

pytestmark = pytest.mark.slow  # the providers' libraries take a second or two to import

ANSWER = events(said("Fine"), said("", "stop"))


async def ask(folder: Path, to: Wire, provider: str = "openai", ear: Ear | None = None, **fields: Any) -> Outcome:  # noqa: ANN401
    key = {"api_key": "env:KEY", **fields}
    asked = ApiAgent(provider=provider, model="m", base_url=to.url, **key)
    work = work_for(folder, asked, environment={"KEY": "sk-secret-1"}, timeout=30)
    return await ApiExecutor().execute(work, ear or Ear())


async def test_what_is_written_is_what_is_asked(tmp_path: Path) -> None:
    async with wire(ANSWER) as service:
        settings = {"seed": 3, "extra_headers": {"X-Team": "blue"}}
        outcome = await ask(
            tmp_path, service, system_prompt="Be brief.", temperature=0, max_tokens=9, settings=settings
        )
        assert outcome.output == "Fine"
        body, headers = service.bodies[0], service.headers[0]
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "The prompt."},
    ]
    limit = body.get("max_tokens") or body.get("max_completion_tokens")
    assert (body["model"], body["temperature"], limit, body["seed"], body["stream"]) == ("m", 0, 9, 3, True)
    assert (headers["authorization"], headers["x-team"]) == ("Bearer sk-secret-1", "blue")


async def test_the_name_of_the_model_is_the_one_that_answered(tmp_path: Path) -> None:
    async with wire(ANSWER) as service:
        assert (await ask(tmp_path, service)).metadata["model"] == "m-2025-01-01"


def counting(**counts: object) -> dict[str, Any]:
    return {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, **counts}


@pytest.mark.parametrize("provider", ["openai", "mine", "openrouter"])
async def test_what_is_counted_with_every_piece_counts_once(tmp_path: Path, provider: str) -> None:
    pieces = [
        {**said("Fi"), "usage": counting(completion_tokens=5)},
        {**said("ne", "stop"), "usage": counting()},
        {**said(""), "choices": [], "usage": counting()},
    ]
    async with wire(events(*pieces)) as service:
        outcome = await ask(tmp_path, service, provider, settings={"extra_body": {"top_k": 3}})
        body = service.bodies[0]
    assert outcome.usage is not None
    assert (outcome.output, outcome.usage.input_total, outcome.usage.output_total) == ("Fine", 100, 10)
    assert (body["stream_options"], body["top_k"]) == ({"include_usage": True}, 3)


async def test_a_service_is_asked_to_count_with_every_piece_where_somebody_wants_that(tmp_path: Path) -> None:
    async with wire(ANSWER) as service:
        await ask(tmp_path, service, settings={"openai_continuous_usage_stats": True})
        assert service.bodies[0]["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


@pytest.mark.parametrize("count", [10**30, -100])
async def test_a_count_that_cannot_be_is_none(tmp_path: Path, count: int) -> None:
    end = {**said("", "stop"), "usage": counting(prompt_tokens=count)}
    async with wire(events(said("Fine"), end)) as service:
        usage = (await ask(tmp_path, service)).usage
    assert usage is not None
    assert usage.input_total == 0


async def test_a_service_that_counts_nothing_leaves_the_usage_unknown(tmp_path: Path) -> None:
    async with wire(ANSWER) as service:
        usage = (await ask(tmp_path, service)).usage
    assert usage is not None
    assert (usage.requests, usage.source, usage.cost_usd) == (1, "unknown", None)


@pytest.mark.parametrize("provider", ["openai", "openai-responses", "anthropic", "google"])
async def test_nothing_of_our_own_environment_goes_over_the_wire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "ambient")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "ambient")
    for name in ("OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.setenv(name, "X-Other: ambient\nAuthorization: ambient\nX-Api-Key: ambient")
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/ambient")
    async with wire(whole(b"{}", "500 Not now")) as service:
        outcome = await ask(tmp_path, service, provider)
        assert outcome.failure is Failure.CRASHED
        assert "ambient" not in json.dumps([service.headers, service.bodies])
        assert not [name for name in service.headers[0] if name.startswith("x-stainless")]
        assert "sk-secret-1" in json.dumps(service.headers)


@pytest.mark.parametrize("provider", ["openai", "openai-responses", "anthropic", "google", "mine"])
async def test_without_a_named_key_none_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "ambient")
    async with wire(whole(b"{}", "500 Not now")) as service:
        await ask(tmp_path, service, provider, api_key=None)
        assert "ambient" not in json.dumps(service.headers)


@pytest.mark.parametrize(
    ("answer", "failure", "error_class"),
    [
        (events(said("", refusal="I will not."), said("", "stop")), Failure.EXIT_CODE, "refused"),
        (events(said("So"), said("", "content_filter")), Failure.EXIT_CODE, "refused"),
        (events(said("So"), said("", "length")), Failure.EXIT_CODE, "max_tokens"),
        (events(said("So long")), Failure.CRASHED, "cut_off"),
        (events(said("So long"), done=False), Failure.CRASHED, "cut_off"),
        (events(said("  \n"), said("", "stop")), Failure.NO_OUTPUT, None),
        (events("nonsense"), Failure.INVALID_OUTPUT, None),
        (whole(b"data: {broken\n\n", kind="text/event-stream"), Failure.INVALID_OUTPUT, None),
        (whole(b'{"error": {"code": "insufficient_quota"}}', "429 x"), Failure.RATE_LIMITED, "quota_exhausted"),
        (whole(b'{"error": {"code": "content_policy_violation"}}', "400 x"), Failure.EXIT_CODE, "refused"),
        (whole(b"too big", "413 x", "text/plain"), Failure.EXIT_CODE, "context_overflow"),
        (whole(b"<html>proxy</html>", "502 x", "text/html"), Failure.CRASHED, "server_error"),
        (whole(b"", "302 Found", location="http://127.0.0.1:9/"), Failure.INVALID_OUTPUT, None),
        (b"", Failure.CRASHED, "connection"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Failure.CRASHED, "connection"),
        (b"SSH-2.0-OpenSSH\r\n", Failure.CRASHED, "connection"),
    ],
)
async def test_answers_of_the_rarer_sorts_have_their_kinds_too(
    tmp_path: Path, answer: bytes, failure: Failure, error_class: str | None
) -> None:
    async with wire(answer) as service:
        outcome = await ask(tmp_path, service)
        assert (outcome.failure, outcome.metadata.get("error_class")) == (failure, error_class), outcome.error
        assert len(service.bodies) == 1


async def test_a_refusal_repeats_the_models_words(tmp_path: Path) -> None:
    async with wire(events(said("", refusal="I will not."), said("", "stop"))) as service:
        assert (await ask(tmp_path, service)).error == "m at openai refused: I will not."


async def test_a_service_that_repeats_the_key_does_not_make_us_repeat_it(tmp_path: Path) -> None:
    body = json.dumps({"error": {"message": "Incorrect API key provided: sk-secret-1."}}).encode()
    async with wire(whole(body, "401 Unauthorized")) as service:
        outcome = await ask(tmp_path, service)
    assert outcome.failure is Failure.AUTH
    assert outcome.error == "m at openai: HTTP 401: Incorrect API key provided: ***."
    assert "sk-secret-1" not in json.dumps(outcome.to_dict())


async def test_nobody_there_is_a_broken_connection(tmp_path: Path) -> None:
    async with wire(b"") as service:
        pass
    outcome = await ask(tmp_path, service)
    assert (outcome.failure, outcome.metadata["error_class"]) == (Failure.CRASHED, "connection")
    assert (outcome.error or "").startswith("m at openai: Connection error: ")
    assert outcome.usage is None


async def test_a_cancelled_request_is_hung_up(tmp_path: Path) -> None:
    async with wire(BEGUN) as service:
        asking = asyncio.create_task(ask(tmp_path, service))
        await service.wait_until_asked()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await service.wait_until_hung_up()


async def test_cancelling_twice_hangs_up_too(tmp_path: Path) -> None:
    ear = Ear()
    async with wire(BEGUN) as service:
        asking = asyncio.create_task(ask(tmp_path, service, ear=ear))
        await ear.wait_for_item("Be")
        asking.cancel()
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await service.wait_until_hung_up()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make a certificate with")
async def test_the_attempts_environment_says_whose_certificates_are_trusted(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout {key} -out {certificate}"
    words = [*made.split(), "-addext", "subjectAltName=DNS:localhost"]
    await asyncio.to_thread(subprocess.run, words, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with wire(ANSWER, context) as service:
        asked = ApiAgent(model="m", base_url=f"https://localhost:{service.port}/v1")
        trusting = work_for(tmp_path, asked, environment={"SSL_CERT_FILE": str(certificate)}, timeout=30)
        assert (await ApiExecutor().execute(trusting, Ear())).output == "Fine"
        doubting = await ApiExecutor().execute(work_for(tmp_path, asked, timeout=30), Ear())
        assert doubting.failure is Failure.CRASHED
        assert "certificate" in (doubting.error or "").lower()


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://a.example/v1", {}, None),
        ("https://a.example/v1", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.example/v1", {"https_proxy": "http://p:1", "http_proxy": "http://q:1"}, "http://p:1"),
        ("https://a.example/v1", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.example/v1", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example"}, None),
        ("https://a.example/v1", {"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, None),
        ("http://localhost:11434/v1", {"HTTP_PROXY": "http://p:1", "NO_PROXY": "localhost,127.0.0.1"}, None),
        ("https://a.example/v1", {"HTTPS_PROXY": ""}, None),
    ],
)
def test_a_proxy_is_used_where_the_attempts_environment_says_so(
    url: str, environment: dict[str, str], proxy: str | None
) -> None:
    assert proxy_for(url, environment) == proxy


async def test_without_the_extra_the_attempt_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [api.ASKING, *api.SPEAKERS.values()]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ["pydantic_ai", *(name for name in sys.modules if name.startswith("pydantic_ai."))]:
        monkeypatch.setitem(sys.modules, name, None)
    work = work_for(tmp_path, ApiAgent(provider="ollama", model="m"))
    outcome = await ApiExecutor().execute(work, Ear())
    assert outcome.failure is Failure.AGENT_MISSING
    assert "pip install 'orch-tasks[api]'" in (outcome.error or "")


def test_knowing_the_executor_imports_none_of_the_libraries() -> None:
    code = (
        "import sys, orchestration.executors.api, orchestration.pricing; "
        "print([n for n in sys.modules if n.partition('.')[0] in "
        "{'pydantic_ai', 'openai', 'anthropic', 'google', 'httpx2', 'httpx', 'logfire_api', 'opentelemetry'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
