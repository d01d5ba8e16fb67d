"""The example of FastAPI, served by uvicorn and asked by httpx: what is sent, to whom, and what is left behind."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from llm import answer_to, in_language  # the example is no package; its folder is where it imports from

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "fastapi_llm"
PATIENCE = 60.0
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the example listens."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    with socket.create_server(("127.0.0.1", 0)) as listening:  # it is given this one, for nobody else can take it
        given = listening.fileno()
        command = [sys.executable, "-m", "uvicorn", "main:app", "--fd", str(given), "--log-level", "warning"]
        with subprocess.Popen(command, cwd=EXAMPLE, env=environment, pass_fds=[given]) as server:
            try:
                yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            finally:
                server.terminate()
                server.wait(PATIENCE)


async def items(client: httpx.AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # any value
    """All data that an address sends."""
    async with client.stream("GET", path, params=query) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in answer.aiter_lines()]
    return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


def told(found: list[dict[str, Any]], kind: str) -> str:
    return " ".join(one["text"] for one in found if one.get("type") == kind)


async def test_each_address_sends_what_its_pipeline_yields(address: str) -> None:
    text = " ".join(answer_to("rivers"))
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE) as client:
        chat = await items(client, "/chat", prompt="rivers")
        assert told(chat, "token") == text
        assert chat[-1] == {"type": "done", "text": text}
        summary = await items(client, "/chat-and-summarize", prompt="rivers")
        assert told(summary, "token") == text
        assert summary[-1]["summary"].startswith("about: ")
        languages = await items(client, "/chat-in-languages", prompt="rivers", languages=["german", "spanish"])
        for language in ("german", "spanish"):
            own = [one for one in languages if one.get("language") == language]
            assert " ".join(one["text"] for one in own) == in_language(text, language)
        mine = await items(client, "/chat-in-my-language", prompt="rivers", mine="french")
        assert told(mine, "translation") == in_language(text, "french")
        other = await items(client, "/chat-in-my-language", prompt="rivers", mine="latin")
        assert told(other, "token") == f"{text} {text}"


async def test_with_all_events_the_branches_are_told_apart(address: str) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE) as client:
        events = await items(client, "/chat-and-translate", prompt="gardens")
    assert [one["seq"] for one in events if "seq" in one] == list(range(1, sum("seq" in one for one in events) + 1))
    text = " ".join(answer_to("gardens"))
    for language in ("spanish", "french"):
        own = [one for one in events if one["type"] == "task_chunk" and one["chunk"].get("language") == language]
        assert {one["path"] for one in own} == {f"translations/{language}/{language}"}
        assert " ".join(one["chunk"]["text"] for one in own) == in_language(text, language)
    assert events[-1]["type"] == "run_completed"
    assert events[-1]["status"] == "success"


async def test_a_hundred_clients_at_once_get_each_their_own_text(address: str) -> None:
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE, limits=limits) as client:
        prompts = [f"subject {n}" for n in range(100)]
        answers = await asyncio.gather(*(items(client, "/chat", prompt=prompt) for prompt in prompts))
    for prompt, answer in zip(prompts, answers, strict=True):
        assert told(answer, "token") == " ".join(answer_to(prompt))
        assert answer[-1]["type"] == "done"


async def test_a_parameter_that_is_missing_is_refused_by_the_application(address: str) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE) as client:
        assert (await client.get("/chat")).status_code == 422
