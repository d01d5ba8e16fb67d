"""The stub model itself: each dialect, whole and streamed, and each way of failing."""

import http.client
import json
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.agents.stub_model import StubModel
from tests.agents.stub_steps import parse, step, step_at

SHELL = {"command": {"type": "string"}}
WRITE = {"file_path": {"type": "string"}, "content": {"type": "string"}}
SCHEMA = {"type": "object", "properties": WRITE, "required": ["file_path", "content"]}
ASK = "please do it"

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
}
APIS = pytest.mark.parametrize("api", PATHS)


def asked(api: str, *, stream: bool = False) -> dict[str, Any]:
    """A request with one tool that writes files."""
    said = [{"role": "user", "content": ASK}]
    if api == "chat":
        tool = {"type": "function", "function": {"name": "write", "parameters": SCHEMA}}
        return {"model": "m", "messages": said, "tools": [tool], "stream": stream}
    if api == "responses":
        tool = {"type": "function", "name": "write_file", "parameters": SCHEMA}
        return {"model": "m", "input": ASK, "tools": [tool], "stream": stream}
    if api == "messages":
        return {"model": "m", "messages": said, "tools": [{"name": "Write", "input_schema": SCHEMA}], "stream": stream}
    tools = [{"functionDeclarations": [{"name": "write_file", "parameters": SCHEMA}]}]
    return {"contents": [{"role": "user", "parts": [{"text": ASK}]}], "tools": tools}


def post(model: StubModel, base: str, api: str, *, stream: bool = False) -> tuple[int, bytes, dict[str, str]]:
    """Ask, and read to the end."""
    path = PATHS[api]
    if api == "gemini" and stream:
        path = path.replace("generateContent", "streamGenerateContent") + "?alt=sse"
    connection = http.client.HTTPConnection("127.0.0.1", model.port, timeout=20)
    try:
        connection.request("POST", base.split(str(model.port), 1)[1] + path, json.dumps(asked(api, stream=stream)))
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


@APIS
def test_a_whole_answer_has_the_text_and_the_tokens(api: str) -> None:
    with StubModel() as model:
        status, body, _ = post(model, model.url(step("done", text="Fine")), api)
    assert status == 200
    assert "Fine" in body.decode()
    assert b"1000" in body or b"550" in body  # Anthropic counts cached tokens apart
    json.loads(body)


@APIS
def test_a_streamed_answer_ends_as_its_dialect_wants_it(api: str) -> None:
    ends = {"chat": "[DONE]", "responses": "response.completed", "messages": "message_stop", "gemini": "STOP"}
    with StubModel() as model:
        status, body, headers = post(model, model.url(step("done", text="Fine")), api, stream=True)
    assert status == 200
    assert headers["Content-Type"] == "text/event-stream"
    assert ends[api] in body.decode().strip().splitlines()[-1]


@APIS
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_that_writes_files_is_called_with_its_own_names_of_arguments(api: str, stream: bool) -> None:
    with StubModel() as model:
        base = model.url(step("write", path="a b.txt", content="x=1,y+z~"), step("done"))
        _, body, _ = post(model, base, api, stream=stream)
        said = body.decode().replace('\\"', '"').replace('\\\\"', '"')
        assert '"file_path": "a b.txt"' in said
        assert '"content": "x=1,y+z~"' in said
        _, body, _ = post(model, base, api, stream=stream)
        assert "a b.txt" not in body.decode()


@APIS
def test_a_refusal_says_when_to_come_back_and_the_next_request_is_served(api: str) -> None:
    with StubModel() as model:
        base = model.url(step("429", n=2, retry_after=3), step("done"))
        refused = [post(model, base, api) for _ in range(2)]
        served = post(model, base, api)
    assert [(status, headers["Retry-After"]) for status, _, headers in refused] == [(429, "3"), (429, "3")]
    assert served[0] == 200


@APIS
def test_a_stream_that_is_cut_ends_in_the_middle(api: str) -> None:
    with StubModel() as model, pytest.raises(http.client.IncompleteRead):
        post(model, model.url(step("cut")), api, stream=True)


@APIS
@pytest.mark.parametrize("name", ["hang", "stall"])
def test_silence_ends_with_the_server(api: str, name: str) -> None:
    with StubModel() as model:
        connection = http.client.HTTPConnection("127.0.0.1", model.port, timeout=20)
        connection.request("POST", f"/{name}{PATHS[api]}", json.dumps(asked(api, stream=True)))
        model.wait_for_requests(1)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    connection.close()


@APIS
def test_an_error_may_come_in_the_middle_of_a_stream(api: str) -> None:
    with StubModel() as model:
        status, body, _ = post(model, model.url(step("inside", code="some_code")), api, stream=True)
    assert status == 200
    assert b"some_code" in body


@APIS
@pytest.mark.parametrize(("name", "status"), [("context", 400), ("500", 500), ("401", 401), ("529", 529)])
def test_an_error_has_its_status_and_a_body_that_is_json(api: str, name: str, status: int) -> None:
    with StubModel() as model:
        answered, body, _ = post(model, model.url(step(name)), api)
    assert answered == status
    assert json.loads(body)["error"]["message"]


def test_two_labels_are_two_countings() -> None:
    with StubModel() as model:
        steps = step("500"), step("done")
        one, two = model.url(*steps, label="one"), model.url(*steps, label="two")
        statuses = [post(model, base, "chat")[0] for base in (one, two, one, two)]
        assert statuses == [500, 500, 200, 200]
        assert [request.number for request in model.requests("one")] == [0, 1]


def test_a_step_serves_as_often_as_it_says_and_the_last_one_for_ever() -> None:
    steps = parse(f"{step('429', n=2)}+{step('write')}+done")
    assert [step_at(steps, index).name for index in range(5)] == ["429", "429", "write", "done", "done"]


def test_a_step_that_is_not_known_is_refused_at_once() -> None:
    with StubModel() as model, pytest.raises(ValueError, match="nonsense"):
        model.url("nonsense")


@pytest.mark.slow
def test_started_by_hand_it_ends_with_its_parent() -> None:
    starter = (
        "import subprocess, sys;"
        "started = subprocess.Popen([sys.executable, '-m', 'tests.agents.stub_model'], stdout=subprocess.PIPE);"
        "print(started.stdout.readline().decode())"
    )
    ended = subprocess.run([sys.executable, "-c", starter], capture_output=True, text=True, timeout=30, check=True)
    assert "http://127.0.0.1:" in ended.stdout  # and standard error, which the server holds too, has come to its end
