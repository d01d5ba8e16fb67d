"""REST: the same data as `--json` of the command line, errors with fitting statuses, and an honest OpenAPI document."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.server import records, schemas
from tests.cli.project import Project
from tests.world.projects import done, make_project, person, shell, until
from tests.world.serving import error_of, serving_project

ROOT = Path(__file__).resolve().parent.parent.parent
WAITS = "touch begun; until test -e go; do sleep 0.01; done"


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


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


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


@pytest.mark.slow
async def test_a_log_can_be_had_in_parts(tmp_path: Path) -> None:
    make_project(
        tmp_path, [shell("A", "printf 'äbc'; exit 1", retry={"max": 2}), shell("B", "test -e x || echo no >&2")]
    )
    async with serving_project(tmp_path) as server:
        run = await server.start()
        await server.wait_for_end(run)

        async def text(query: str = "", **headers: str) -> tuple[int, bytes]:
            answer = await server.client.get(f"/tasks/{query}", headers=headers)
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            return answer.status_code, answer.content

        assert await text("A/logs/stdout") == (200, "äbc".encode())
        assert await text(f"A/logs/stdout?run={run}&attempt=1") == (200, "äbc".encode())
        assert await text("A/logs/stdout?tail=2") == (200, b"bc")
        assert await text("A/logs/stdout?tail=3") == (200, b"bc")  # not half of a letter
        assert await text("A/logs/stdout", Range="bytes=2-") == (206, b"bc")
        assert await text("A/logs/stdout", Range="bytes=-1") == (206, b"c")
        assert await text("A/logs/stderr") == (200, b"")
        assert await text("B/logs/stderr") == (200, b"no\n")
        assert (await server.get("/tasks/A/logs?tail=1"))["stdout"] == "c"
        for query, refused in [
            ("A/logs?attempt=9", (409, "wrong_state")),
            ("Z/logs", (404, "unknown_task")),
            ("A/logs/other", (422, "usage")),
            ("A/../../logs", (404, "refused")),
            ("A%2Fleg-9/logs", (409, "wrong_state")),
        ]:
            assert error_of(await server.client.get(f"/tasks/{query}")) == refused, query


@pytest.mark.slow
async def test_a_link_in_the_place_of_a_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    make_project(tmp_path, [shell("A", "echo out")])
    async with serving_project(tmp_path) as server:
        run = await server.start()
        await server.wait_for_end(run)
        log = Path((await server.get("/tasks/A/logs"))["folder"]) / "stdout.log"
        log.unlink()
        log.symlink_to(tmp_path / "secret")
        assert (await server.client.get("/tasks/A/logs/stdout")).text == ""
        assert (await server.get("/tasks/A/logs"))["stdout"] == ""
        assert "secret" not in str([message.data for message in await server.read(run)])


@pytest.mark.slow
async def test_a_selection_is_run_as_by_run_batch(tmp_path: Path) -> None:
    tasks = [
        shell("A", "echo A >>done.log", labels=["x"]),
        shell("B", "echo B >>done.log", phase="p"),
        shell("C", "exit 1"),
    ]
    async with serving_project(make_project(tmp_path, tasks)) as server:
        orders: list[tuple[dict[str, Any], list[str]]] = [
            ({"labels": ["X"]}, ["A"]),
            ({"phases": ["p"], "max_concurrent": 1}, ["A", "B"]),
            ({"task_ids": ["A"], "force": True}, ["A", "B", "A"]),
        ]
        for order, ran in orders:
            await server.wait_for_end(await server.start(**order))
            assert done(tmp_path) == ran
        first = await server.start(task_ids=["A", "B"])
        await server.wait_for_end(first)
        assert await server.start(task_ids=["A", "B"]) == first  # nothing is to be done, and it is said already


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"task_ids": ["Z"]}, (404, "unknown_task")),
        ({"agent": "nobody"}, (404, "unknown_agent")),
        ({"max_concurrent": 0}, (422, "usage")),
        ({"max_concurrent": "many"}, (422, "usage")),
        ({"timeout": "soon"}, (422, "usage")),
        ({"timeout": 0}, (422, "usage")),
        ({"budget": {"cost_usd": -1}}, (422, "usage")),
        ({"priorities": ["whatever"]}, (422, "usage")),
        ({"task": ["A"]}, (422, "usage")),
        ([], (422, "usage")),
        ("x", (422, "usage")),
        (None, (422, "usage")),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_and_nothing_runs(
    tmp_path: Path, body: object, refused: tuple[int, str]
) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "echo A >>done.log")])) as server:
        answer = await server.client.post("/runs", json=body)
        assert error_of(answer) == refused
        assert answer.json()["data"]["message"]
        assert await server.get("/runs") == []
    assert done(tmp_path) == []


async def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        headers = {"Content-Type": "application/json"}
        for content in (b"{", b"\xff", b"[" * 10_000, b"{}" + b" " * (1 << 20)):
            answer = await server.client.post("/runs", content=content, headers=headers)
            assert error_of(answer)[0] in {400, 413, 422}, answer.text


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


@pytest.mark.slow
async def test_people_answer_tasks_of_a_run_that_goes_on_here(tmp_path: Path) -> None:
    tasks = [
        shell("S", WAITS),
        person("A", verify=["test -e made"]),
        person("B"),
        shell("C", "true", approve="before"),
        shell("D", "true", approve="before"),
    ]
    async with serving_project(make_project(tmp_path, tasks)) as server:
        run = await server.start(max_concurrent=5)
        await until((tmp_path / "begun").exists)
        assert error_of(await server.client.post("/tasks/A/complete", json={})) == (409, "checks_failed")
        (tmp_path / "made").touch()
        completed = await server.post("/tasks/A/complete", {"output": "done", "outputs": {"n": 1}, "by": "ada"})
        assert (completed["status"], completed["output"], completed["outputs"]) == ("success", "done", {"n": 1})
        assert (await server.post("/tasks/B/fail", {"reason": "no"}))["status"] == "failed"
        await server.post("/tasks/C/approve", {"note": "fine"})
        assert (await server.post("/tasks/D/reject", {"note": "no"}))["status"] == "cancelled"
        (tmp_path / "go").touch()
        result = await server.wait_for_end(run)
        found = {one["task_id"]: one["status"] for one in result["results"]}
        assert found == {"S": "success", "A": "success", "B": "failed", "C": "success", "D": "cancelled"}
        given = [m.json for m in await server.read(run) if m.json["type"] == "task_input_given"]
        assert [(one["task_id"], one["action"], one["by"]) for one in given][:1] == [("A", "complete", "ada")]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["run", "task"])
async def test_a_run_or_a_task_is_cancelled_and_nothing_of_it_is_left(tmp_path: Path, target: str) -> None:
    make_project(tmp_path, [shell("A", "echo $$ >pid; touch begun; sleep 600"), shell("B", "true", "A")])
    async with serving_project(tmp_path) as server:
        run = await server.start()
        await until((tmp_path / "begun").exists)
        address = f"/runs/{run}/cancel" if target == "run" else "/tasks/A/cancel"
        cancelled = await server.post(address, {"reason": "enough"})
        assert "A" in cancelled["tasks"]
        assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
        await server.wait_for_end(run)
        assert (await server.get("/tasks/A"))["status"] == "cancelled"


@pytest.mark.slow
async def test_files_that_change_are_read_again_and_broken_ones_are_told(tmp_path: Path) -> None:
    make_project(tmp_path, [shell("A", "true")])
    async with serving_project(tmp_path) as server:
        assert len((await server.get("/tasks"))["tasks"]) == 1
        make_project(tmp_path, [shell("A", "true"), shell("B", "true", "A")])
        assert len((await server.get("/tasks"))["tasks"]) == 2
        make_project(tmp_path, [shell("A", "true", "nobody")])
        for response in (await server.client.get("/tasks"), await server.client.post("/runs", json={})):
            assert error_of(response) == (409, "invalid_project")
            assert response.json()["data"]["problems"]
        make_project(tmp_path, [shell("A", "true")])
        result = await server.wait_for_end(await server.start())
        assert result["status"] == "success"


@pytest.mark.slow
async def test_two_servers_and_the_command_line_on_one_project_do_each_task_once(tmp_path: Path) -> None:
    tasks = [shell(name, "sleep 0.1; echo $ORCH_TASK_ID >>done.log") for name in "ABCDEF"]
    make_project(tmp_path, tasks)
    command_line = Project(tmp_path, {"PYTHONPATH": str(ROOT)})
    async with serving_project(tmp_path) as one, serving_project(tmp_path) as other:
        beside = asyncio.create_task(asyncio.to_thread(command_line.orch, "run-batch", "-q"))
        runs = await asyncio.gather(one.start(), other.start(), one.start(task_ids=["A", "B"]))
        for server, run in zip([other, one, other], runs, strict=True):  # also the one that did not start it
            assert (await server.wait_for_end(run))["status"] == "success"
        assert (await beside).code == 0
        assert sorted(done(tmp_path)) == list("ABCDEF")
        assert statuses_of(await one.get("/status")) == statuses_of(await other.get("/status"))


def statuses_of(status: dict[str, Any]) -> dict[str, str]:
    return {task["task_id"]: task["status"] for task in status["tasks"]}


@pytest.mark.slow
async def test_a_server_that_ends_ends_its_runs_and_takes_no_more(tmp_path: Path) -> None:
    make_project(
        tmp_path, [shell("A", "echo $$ >pid; touch begun; trap 'sleep 0.3; exit 1' TERM; while :; do sleep 0.01; done")]
    )
    async with serving_project(tmp_path) as server:
        run = await server.start()
        await until((tmp_path / "begun").exists)
        reading = asyncio.create_task(server.read(run))
        server.served.stop("enough")
        assert error_of(await server.client.post("/runs", json={})) == (503, "refused")
        assert (await reading)[-1].json["type"] == "run_completed"
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    async with serving_project(tmp_path) as server:
        result = await server.get(f"/runs/{run}")
        assert (result["status"], result["reason"]) == ("cancelled", "enough")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "status", "content", "told"),
    [
        ("bytes=0-2", 206, b"012", "bytes 0-2/10"),
        ("bytes=9-", 206, b"9", "bytes 9-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
    ],
)
async def test_a_range_of_a_log_is_answered_as_the_standard_says(
    tmp_path: Path, wanted: str, status: int, content: bytes, told: str | None
) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "printf 0123456789")])) as server:
        await server.wait_for_end(await server.start())
        answer = await server.client.get("/tasks/A/logs/stdout", headers={"Range": wanted})
    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, content, told)


@pytest.mark.slow
async def test_a_log_that_grows_while_it_is_sent_is_sent_as_it_was(tmp_path: Path) -> None:
    make_project(tmp_path, [shell("A", "touch begun; until test -e go; do seq 1 2000; done")])
    async with serving_project(tmp_path) as server:
        await server.start()
        await until((tmp_path / "begun").exists)
        for _ in range(30):
            answer = await server.client.get("/tasks/A/logs/stdout")
            assert len(answer.content) == int(answer.headers["content-length"])
        (tmp_path / "go").touch()


ODD_TEXTS = ["\x00", "a\nb\r\n", "\x1b[31m", "\u202e", "x" * 90_000, "{{ 7 * 7 }}", "'; DROP TABLE runs; --"]


@pytest.mark.slow
async def test_odd_texts_are_taken_and_given_back_as_they_are(tmp_path: Path) -> None:
    tasks = [person(f"P{i}") for i in range(len(ODD_TEXTS))]
    async with serving_project(make_project(tmp_path, tasks)) as server:
        run = await server.start()
        await server.read(run)
        for i, text in enumerate(ODD_TEXTS):
            body = json.dumps({"output": text, "outputs": {"text": text}, "by": text[:100]})
            headers = {"Content-Type": "application/json"}
            answer = await server.client.post(f"/tasks/P{i}/complete", content=body, headers=headers)
            assert answer.is_success, answer.text
            found = (await server.get(f"/tasks/P{i}"))["result"]
            given = found["output"] if not found["metadata"].get("output_file") else text
            assert (given[:1000], found["outputs"]["text"][:1000]) == (text[:1000], text[:1000])
        await server.read(run)
        half = '{"outputs": {"text": "\\ud800"}}'
        assert error_of(await server.client.post("/tasks/P0/complete", content=half, headers=headers))[0] in {409, 422}
        nan = await server.client.post("/tasks/P0/complete", content='{"outputs": {"x": NaN}}', headers=headers)
        assert error_of(nan) == (422, "usage")


@pytest.mark.slow
async def test_odd_addresses_are_errors_of_their_own(tmp_path: Path) -> None:
    odd = [
        "%00",
        "%0a",
        "..%2f..",
        "%2e%2e",
        "%ff",
        "A%00",
        "ü",
        "%ed%a0%80",
        "x" * 5000,
        "A%2f..%2fA",
        "%7b%7b1%7d%7d",
    ]
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        await server.wait_for_end(await server.start())
        for name in odd:
            for address in (
                f"/tasks/{name}",
                f"/tasks/{name}/logs",
                f"/tasks/{name}/why",
                f"/runs/{name}",
                f"/x{name}",
            ):
                status, _ = error_of(await server.client.get(address))
                assert 400 <= status < 500, address
            for query in (f"run={name}", f"attempt={name}"):
                status, _ = error_of(await server.client.get(f"/tasks/A/logs?{query}"))
                assert 400 <= status < 500, query
