"""Starting, answering and cancelling over HTTP, with several servers and the command line on one project."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.cli.project import Project
from tests.world.projects import done, make_project, person, shell, until
from tests.world.serving import error_of, serving_project

ROOT = Path(__file__).resolve().parent.parent.parent
WAITS = "touch begun; until test -e go; do sleep 0.01; done"


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


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("application/x-www-form-urlencoded", "{}", "Content-Type: application/json"),
        ("text/plain", "{}", "Content-Type: application/json"),
        ("application/json", "[]", "openapi.json"),
        ("application/json", "", "there is no body|send one as JSON, with `Content-Type: application/json`"),
        ("application/json", '{"task_ids": [', "body: not JSON at character 14: "),
    ],
)
async def test_a_body_that_cannot_be_read_is_told_with_what_to_do(
    tmp_path: Path, kind: str, body: str, told: str
) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        headers = {"Content-Type": kind}
        answer = await server.client.post("/runs", content=body.encode("latin-1"), headers=headers)
        assert error_of(answer) == (422, "usage")
        assert told in f"{answer.json()['data']['message']}|{answer.json()['data']['hint']}"
        assert await server.get("/runs") == []


@pytest.mark.parametrize(
    ("address", "body", "told"),
    [
        ("/runs", {"max_concurrent": 0}, "max_concurrent must be at least 1; got 0|the schemas are in /openapi.json"),
        ("/runs", {"max_concurrency": 2}, "there is no field max_concurrency|the schemas are in /openapi.json"),
        ("/runs", {"timeout": "soon"}, "timeout: 'soon' is no duration|write seconds, or 500ms, 30s, 5m, 2h"),
        ("/runs", {"priorities": ["hihg"]}, "priorities[0] must be one of critical, high, medium, low; got 'hihg'|"),
        ("/runs", {"agent": "a" * 201}, "agent is too long; it may have 200 characters|"),
        ("/runs", {"budget": "5"}, "budget must be a mapping of keys to values; got '5'|"),
        ("/tasks/A/fail", {"reason": ""}, "reason is empty|give it a text"),
        ("/retry", {}, "give either task_ids or failed|"),
    ],
)
async def test_what_is_wrong_with_an_order_is_told_in_the_words_for_files(
    tmp_path: Path, address: str, body: dict[str, object], told: str
) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        answer = await server.client.post(address, json=body)
        assert error_of(answer) == (422, "usage")
        assert f"{answer.json()['data']['message']}|{answer.json()['data']['hint']}".startswith(told)


async def test_what_is_wrong_with_a_parameter_is_told_in_the_words_for_files(tmp_path: Path) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        for parameter, told in (
            ("/runs?limit=few", "limit must be a whole number; got 'few'"),
            ("/runs?limit=501", "limit must be at most 500; got '501'"),
            ("/tasks?status=failed&status=fail", "status[1] must be one of pending, in_progress, needs_input, "),
        ):
            answer = await server.client.get(parameter)
            assert error_of(answer) == (422, "usage")
            assert answer.json()["data"]["message"].startswith(told)


async def test_a_parameter_that_an_address_does_not_have_is_refused(tmp_path: Path) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        for address, message, hint in (
            ("/runs?limt=5", "limt: this address has no such parameter", "did you mean limit?"),
            ("/runs?limit=5&zzz=1", "zzz: this address has no such parameter", "there are: before, limit"),
            ("/runs/newest/events?sinse=5", "sinse: this address has no such parameter", "did you mean since?"),
            ("/tasks?labels=x", "labels: this address has no such parameter", "did you mean label?"),
            ("/status?x", "x: this address has no such parameter", "leave it out, there are none"),
            ("/version?x=1", "x: this address has no such parameter", "leave it out, there are none"),
            (
                "/runs?a=1&b=2&a=3",
                "2 problems, first: a: this address has no such parameter",
                "there are: before, limit",
            ),
        ):
            answer = await server.client.get(address)
            assert error_of(answer) == (422, "usage"), address
            data = answer.json()["data"]
            assert (data["message"], data["hint"]) == (message, hint)
            assert (await server.client.head(address)).status_code == 422
        assert error_of(await server.client.post("/retry?fialed=1", json={"failed": True})) == (422, "usage")
        assert (await server.client.get("/?whatever=1")).status_code == 200  # the board's page has none to misspell
        assert (await server.client.get("/tasks?label=a&label=b")).status_code == 200


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
        while [*statuses_of(await server.get("/status")).values()].count("needs_input") < 4:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.01)
        assert error_of(await server.client.post("/tasks/A/complete", json={})) == (409, "checks_failed")
        (tmp_path / "made").touch()
        completed = await server.post("/tasks/A/complete", {"output": "done", "outputs": {"n": 1}, "by": "ada"})
        assert (completed["status"], completed["output"], completed["outputs"]) == ("success", "done", {"n": 1})
        assert (await server.post("/tasks/B/fail", {"reason": "no"}))["status"] == "failed"
        assert error_of(await server.client.post("/tasks/C/complete", json={})) == (409, "wrong_state")
        assert error_of(await server.client.post("/tasks/C/fail", json={"reason": "no"})) == (409, "wrong_state")
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
    tidies = "until test -e go; do sleep 0.01; done; exit 1"
    make_project(
        tmp_path,
        [shell("A", f"trap '{tidies}' TERM; echo $$ >pid; touch begun; while :; do sleep 0.01; done", kill_grace=60)],
    )
    async with serving_project(tmp_path) as server:
        run = await server.start()
        await until((tmp_path / "begun").exists)
        reading = asyncio.create_task(server.read(run))
        await until(lambda: server.served.readers == 1)
        server.served.stop("enough")
        assert error_of(await server.client.post("/runs", json={})) == (503, "refused")
        (tmp_path / "go").touch()
        assert (await reading)[-1].json["type"] == "run_completed"
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    async with serving_project(tmp_path) as server:
        result = await server.get(f"/runs/{run}")
        assert (result["status"], result["reason"]) == ("cancelled", "enough")
