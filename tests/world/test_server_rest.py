"""REST: the same data as `--json` of the command line, errors with fitting statuses, and an honest OpenAPI document."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration import AsyncFlowExecutor, Flow, FlowStep
from orchestration.server import records, schemas
from orchestration.store.memory import MemoryStore
from tests.cli.project import Project
from tests.world.projects import make_project, person, shell
from tests.world.serving import error_of, serving_project

ROOT = Path(__file__).resolve().parent.parent.parent


def project_of_all_sorts(root: Path) -> Path:
    return make_project(
        root,
        [
            shell("A", "echo out; echo err >&2; echo size=3 >> $ORCH_OUTPUT", verify=["true"], labels=["one"]),
            shell("B", "exit 3", "A", phase="two", retry={"max": 2}),
            shell("C", "true", "B", priority="high"),
            person("D", "A", approve="before"),
            person("E"),
            shell("F", "true", when="False"),
        ],
    )


@pytest.mark.slow
async def test_every_answer_is_what_the_openapi_document_says(tmp_path: Path) -> None:
    async with serving_project(project_of_all_sorts(tmp_path)) as server:
        run = await server.start()
        events = await server.read(run)
        for event in (message.json for message in events):
            model = next(
                one
                for one in [*records.EVENTS, records.CHUNK]
                if event["type"] in str(one.model_fields["type"].annotation)
            )
            model.model_validate_json(json.dumps(event))
        wanted = [
            ("/runs", schemas.RUNS),
            (f"/runs/{run}", schemas.RESULT),
            ("/status", schemas.STATUS),
            ("/tasks", schemas.TASKS),
            ("/version", schemas.VERSION),
            *((f"/tasks/{task}", schemas.TASK) for task in "ABCDEF"),
            ("/tasks/B/why", schemas.WHY),
            ("/tasks/A/logs", schemas.LOGS),
            ("/tasks/Z", schemas.ERROR),
            ("/runs?limit=0", schemas.ERROR),
            ("/nowhere", schemas.ERROR),
        ]
        for address, model in wanted:
            model.model_validate_json((await server.client.get(address)).content)
        as_json = {"Accept": "application/json"}
        schemas.HAPPENED.model_validate_json((await server.client.get(f"/runs/{run}/events", headers=as_json)).content)
        deeds: list[tuple[str, object, Any]] = [
            ("/tasks/E/complete", {"output": "x"}, schemas.TASK_RESULT),
            ("/tasks/D/approve", {}, schemas.TASK_RESULT),
            ("/retry", {"failed": True}, schemas.RETRIED),
            (f"/runs/{run}/cancel", {}, schemas.CANCELLED),
            ("/runs", {"task_ids": ["A"]}, schemas.RUN),
            ("/runs", {"task_ids": ["Z"]}, schemas.ERROR),
        ]
        for address, body, model in deeds:
            model.model_validate_json((await server.client.post(address, json=body)).content)


@pytest.mark.parametrize("address", ["/", "/version", "/runs", "/status", "/tasks/A", "/tasks/Z", "/runs/{run}/events"])
async def test_the_head_of_an_answer_can_be_asked_for_alone(tmp_path: Path, address: str) -> None:
    async with serving_project(project_of_all_sorts(tmp_path)) as server:
        run = await server.start()
        await server.read(run)
        head = await server.client.head(address.format(run=run))
        whole = await server.client.get(address.format(run=run))
    assert (head.status_code, head.headers["content-type"]) == (whole.status_code, whole.headers["content-type"])
    assert head.content == b""


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def parts_of(document: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # any part of it
    """All mappings of a document, wherever they stand."""
    if isinstance(document, dict):
        yield document
        document = list(document.values())
    for part in document if isinstance(document, list) else ():
        yield from parts_of(part)


async def test_the_openapi_document_has_a_real_schema_for_every_answer(tmp_path: Path) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        document = (await server.client.get("/openapi.json")).json()
    parts = document["components"]["schemas"]
    for reference in references(document):
        name = reference.removeprefix("#/components/schemas/")
        assert name in parts, reference
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            good = [one for status, one in operation["responses"].items() if status in {"200", "202"}]
            for kind, content in good[0]["content"].items():
                assert kind != "application/json" or content["schema"].keys() == {"$ref"}, (path, method)
            assert ("security" in operation) == (method != "get")
            errors = operation["responses"].get("4XX", {"content": {}})["content"]
            assert set(errors) <= {"application/json"}, path
    for part in parts_of(document):
        assert part.get("default", "") is not None or {"type": "null"} in part.get("anyOf", []), part
    for name in ("ExecutionResult", "RunResult", "TaskCompleted", "Attempt", "TaskDetails", "StartRun"):
        assert len(parts[name]["properties"]) > 5
    told = document["paths"]["/runs/{run_id}/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert len(told["schema"]["anyOf"]) == len(records.EVENTS) + 1


@pytest.mark.slow
async def test_data_are_those_of_the_command_line(tmp_path: Path) -> None:
    project_of_all_sorts(tmp_path)
    command_line = Project(tmp_path, {"PYTHONPATH": str(ROOT)})
    async with serving_project(tmp_path) as server:
        run = await server.start()
        await server.read(run)
        same = [
            ("/runs", ["runs"]),
            (f"/runs/{run}", ["report", "--format", "json"]),
            ("/status", ["status"]),
            ("/tasks", ["list"]),
            (
                "/tasks?label=one&label=two&priority=high&priority=medium&status=success",
                ["list", "-l", "one", "-l", "two", "--priority", "high", "--priority", "medium", "--status", "success"],
            ),
            ("/tasks/B/why", ["why", "B"]),
        ]
        for address, arguments in same:
            assert await server.get(address) == await asyncio.to_thread(command_line.json, *arguments), address
        as_json = {"Accept": "application/json"}
        events = await asyncio.to_thread(command_line.json, "events")
        assert await server.get(f"/runs/{run}/events", headers=as_json) == events
        task = await server.get("/tasks/B")
        because = task.pop("because")
        assert task == await asyncio.to_thread(command_line.json, "show", "B")
        assert because == (await asyncio.to_thread(command_line.json, "why", "B"))["because"]
        logs = await server.get("/tasks/A/logs")
        assert (logs.pop("stdout_bytes"), logs.pop("stderr_bytes")) == (4, 4)
        assert logs == await asyncio.to_thread(command_line.json, "logs", "A")


@pytest.mark.slow
async def test_a_run_began_with_its_first_event(tmp_path: Path) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        run = (await server.client.post("/runs", json={})).json()["data"]
        first = (await server.read(run["run_id"]))[0].json
    assert run["created_at"] == first["at"]
    store = MemoryStore()
    await AsyncFlowExecutor(store=store).execute(Flow("f", [FlowStep("a", lambda: 1)]), run_id="r")
    (record,) = await store.runs()
    assert record.created_at == (await store.events("r"))[0].at


async def test_runs_are_listed_in_pages(tmp_path: Path) -> None:
    async with serving_project(make_project(tmp_path, [shell(name, "true") for name in "ABCDE"])) as server:
        runs = [await server.start(task_ids=[name]) for name in "ABCDE"]
        for run in runs:
            await server.wait_for_end(run)
        found: list[str] = []
        address = "/runs?limit=2"
        while address:
            answer = await server.client.get(address)
            found += [run["run_id"] for run in answer.json()["data"]]
            address = answer.links.get("next", {}).get("url", "")
        assert found == runs[::-1]
        assert error_of(await server.client.get("/runs?before=nobody")) == (404, "unknown_run")


@pytest.mark.parametrize(
    ("method", "address", "refused"),
    [
        ("GET", "/nowhere", (404, "refused")),
        ("DELETE", "/runs", (405, "refused")),
        ("GET", "/tasks/Z", (404, "unknown_task")),
        ("GET", "/runs/Z", (404, "unknown_run")),
        ("POST", "/runs/Z/cancel", (404, "unknown_run")),
        ("POST", "/tasks/Z/cancel", (404, "unknown_task")),
        ("POST", "/tasks/A/cancel", (409, "wrong_state")),
        ("POST", "/tasks/A/retry", (409, "wrong_state")),
        ("POST", "/tasks/A/complete", (409, "wrong_state")),
        ("POST", "/tasks/A/approve", (409, "wrong_state")),
        ("POST", "/tasks/A/reject", (409, "wrong_state")),
        ("POST", "/tasks/A/fail", (422, "usage")),
        ("POST", "/retry", (422, "usage")),
        ("GET", "/tasks/A/why/x", (404, "refused")),
    ],
)
async def test_what_cannot_be_is_an_envelope_of_an_error(
    tmp_path: Path, method: str, address: str, refused: tuple[int, str]
) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        assert error_of(await server.client.request(method, address)) == refused


async def test_an_address_put_together_with_two_slashes_is_told_so(tmp_path: Path) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        answer = await server.client.get(f"{server.client.base_url}//runs")
        assert error_of(answer) == (404, "refused")
        assert answer.json()["data"]["hint"] == "one slash is enough"


@pytest.mark.parametrize(
    ("address", "methods"), [("/runs", "GET, HEAD, POST"), ("/retry", "POST"), ("/runs/Z/events", "GET, HEAD")]
)
async def test_who_asks_in_a_way_that_there_is_not_is_told_all_that_there_are(
    tmp_path: Path, address: str, methods: str
) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        assert (await server.client.put(address)).headers["Allow"] == methods
