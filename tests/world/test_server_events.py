"""Following runs: everything, in order, once, whoever drives the run and however often a reader leaves."""

import asyncio
import json
import os
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestration import ProjectOrchestrator
from orchestration.events import from_dict
from orchestration.server import served
from orchestration.server.cursor import Cursor
from tests.cli.project import command_line
from tests.world.projects import make_project, shell, until
from tests.world.serving import Message, Server, error_of, messages, seqs_of, serving_project, texts_of

ROOT = Path(__file__).resolve().parent.parent.parent

YIELDS = """
async def many(task):
    for n in range(5):
        yield {"n": n, "text": "zeile\\nzwei " + "ü" * n}
    print("printed")
"""

SETTINGS = {"agents": {"many": {"kind": "python", "function": "yields:many"}}}
CHATTY = "for i in 1 2 3 4 5 6; do printf 'ä%s€' $i; echo err $i >&2; sleep 0.03; done; printf '\\360\\237'"

TALKING = [
    shell("A", CHATTY),
    shell("B", "echo b; exit 3", "A", retry={"max": 2}),
    shell("C", f"sleep 0.05; {CHATTY}"),
    {"id": "D", "agent": "many", "description": "yield"},
    shell("E", "seq 1 20000", "C"),
    shell("F", "true", "B"),
]
SAID = "ä1€ä2€ä3€ä4€ä5€ä6€\ufffd"
TEXTS = {
    ("A", "stdout"): SAID,
    ("C", "stdout"): SAID,
    ("D", "stdout"): "printed\n",
    ("E", "stdout"): "".join(f"{n}\n" for n in range(1, 20001)),
    ("B", "stdout"): "b\nb\n",
    **{(task, "stderr"): "".join(f"err {n}\n" for n in range(1, 7)) for task in "AC"},
}


def talking(root: Path) -> Path:
    """A project whose tasks print letters of several bytes, fail, are tried again, and yield items."""
    (root / "yields.py").write_text(YIELDS)
    return make_project(root, TALKING, SETTINGS)


def check_whole(found: Sequence[Message], tasks: Sequence[dict[str, Any]] = TALKING) -> None:
    """Nothing is missing, nothing is there twice, and everything stands where it could have happened."""
    seqs = seqs_of(found)
    assert seqs == list(range(1, len(seqs) + 1))
    texts = texts_of(found)
    items = [
        message.json["chunk"] for message in found if message.json.get("task") == "D" and "stream" not in message.json
    ]
    if tasks is TALKING:
        assert {key: text for key, text in texts.items() if key[1]} == TEXTS
        assert items == [{"n": n, "text": "zeile\nzwei " + "ü" * n} for n in range(5)]
    running: dict[tuple[str, int], int] = {}
    for event in (message.json for message in found):
        if event["type"] == "task_started":
            running[event["task_id"], event["attempt"]] = 0
        elif event["type"] == "task_chunk":
            running[event["task"], event["attempt"]] += 1  # a KeyError: it came before its beginning or after its end
            assert event["n"] == running[event["task"], event["attempt"]]
        elif event["type"] in {"task_completed", "task_error", "task_cancelled"} and event["attempt"]:
            del running[event["task_id"], event["attempt"]]
    assert found[-1].json["type"] in {"run_completed", "run_paused"}
    for message in found:
        event = message.json
        if "seq" in event:
            from_dict(event)
            assert message.id.split(";")[0] == str(event["seq"])
        else:
            assert Cursor.parse(message.id).places


@asynccontextmanager
async def driven_elsewhere(root: Path, *arguments: str) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A run of another process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = command_line("run-batch", "--quiet", *arguments)
    process = await asyncio.to_thread(subprocess.Popen, command, cwd=root, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def newest(server: Server) -> str:
    """The newest run, as soon as there is one."""
    async with asyncio.timeout(30):
        while not (runs := await server.get("/runs")):  # noqa: ASYNC110  # it happens in another process
            await asyncio.sleep(0.01)
    run: str = runs[0]["run_id"]
    return run


def dice(seed: str) -> random.Random:
    """Chance that comes out the same each time."""
    return random.Random(seed)  # noqa: S311  # no secrets are made with it


async def read_in_pieces(server: Server, run: str, chance: random.Random) -> list[Message]:
    """Read to the end, but leave again and again in the middle."""
    found: list[Message] = []
    async with asyncio.timeout(60):
        while True:
            last = found[-1].id if found else None
            more = await server.read(run, last, most=chance.choice([1, 2, 3, 5, 8, 100]))
            found += more
            if not more:
                return found


@pytest.mark.slow
async def test_a_run_that_was_started_here_is_told_whole(tmp_path: Path) -> None:
    async with serving_project(talking(tmp_path)) as server:
        check_whole(await server.read(await server.start(max_concurrent=4)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_who_leaves_and_comes_back_misses_nothing_and_gets_nothing_twice(tmp_path: Path, seed: int) -> None:
    async with serving_project(talking(tmp_path)) as server:
        run = await server.start(max_concurrent=4)
        for found in await asyncio.gather(*(read_in_pieces(server, run, dice(f"{seed} {i}")) for i in range(8))):
            check_whole(found)


@pytest.mark.slow
async def test_a_run_of_another_process_is_told_whole_also_in_pieces(tmp_path: Path) -> None:
    talking(tmp_path)
    async with serving_project(tmp_path) as server, driven_elsewhere(tmp_path, "-j", "4"):
        run = await newest(server)
        whole, *pieces = await asyncio.gather(
            server.read(run), *(read_in_pieces(server, run, dice(str(i))) for i in range(4))
        )
        for found in (whole, *pieces):
            check_whole(found)


@pytest.mark.slow
async def test_behind_every_id_the_rest_follows(tmp_path: Path) -> None:
    async with serving_project(talking(tmp_path)) as server:
        run = await server.start(max_concurrent=4)
        whole = await server.read(run)
        for i in range(0, len(whole), 3):
            check_whole([*whole[: i + 1], *await server.read(run, whole[i].id)])
        assert await server.read(run, whole[-1].id) == []
        again = await server.client.get(f"/runs/{run}/events", headers={"Last-Event-ID": whole[-1].id})
        assert again.status_code == 204


@pytest.mark.slow
async def test_a_client_that_cannot_send_the_header_names_the_id_in_the_address(tmp_path: Path) -> None:
    async with serving_project(talking(tmp_path)) as server:
        run = await server.start(max_concurrent=4)
        whole = await server.read(run)
        middle = len(whole) // 2
        address, asked = f"/runs/{run}/events", {"lastEventId": whole[middle].id}
        async with server.client.stream("GET", address, params=asked) as response:
            rest = [message async for message in messages(response)]
        check_whole([*whole[: middle + 1], *rest])
        async with server.client.stream(
            "GET", address, params=asked, headers={"Last-Event-ID": whole[-2].id}
        ) as response:
            assert [message.id async for message in messages(response)] == [whole[-1].id]
        assert (await server.client.get(address, params={"lastEventId": whole[-1].id})).status_code == 204
        assert (await server.client.get(address, params={"lastEventId": "x"})).status_code == 400


@pytest.mark.slow
async def test_a_hundred_clients_get_everything(tmp_path: Path) -> None:
    tasks = [shell(f"T{i}", f"for n in 1 2 3; do echo {i} $n; sleep 0.02; done") for i in range(10)]
    async with serving_project(make_project(tmp_path, tasks)) as server:
        run = await server.start(max_concurrent=3)
        for found in await asyncio.gather(*(server.read(run) for _ in range(100))):
            check_whole(found, tasks)
            assert texts_of(found) == {(f"T{i}", "stdout"): f"{i} 1\n{i} 2\n{i} 3\n" for i in range(10)}


@pytest.mark.slow
async def test_who_reads_slowly_gets_everything_and_holds_up_nobody(tmp_path: Path) -> None:
    tasks = [shell("A", "seq 1 400000"), shell("B", "true", "A")]
    async with serving_project(make_project(tmp_path, tasks)) as server:
        run = await server.start()
        async with server.client.stream("GET", f"/runs/{run}/events") as response:
            await server.wait_for_end(run)
            found = [message async for message in messages(response)]
    assert texts_of(found) == {("A", "stdout"): "".join(f"{n}\n" for n in range(1, 400001))}
    check_whole(found, tasks)


@pytest.mark.slow
async def test_the_run_of_a_process_that_was_killed_is_told_as_far_as_it_came_and_ends(tmp_path: Path) -> None:
    make_project(tmp_path, [shell("A", "echo so far; sleep 600")])
    logs = tmp_path / ".orchestration" / "runs"
    async with serving_project(tmp_path) as server, driven_elsewhere(tmp_path) as process:
        await until(lambda: [path.read_text() for path in logs.rglob("stdout.log")] == ["so far\n"])
        run = await newest(server)
        reading = asyncio.create_task(server.read(run))
        await asyncio.sleep(0)
        process.send_signal(signal.SIGKILL)
        found = await reading
        assert [message.json["type"] for message in found] == ["run_started", "task_started", "task_chunk"]
        assert found[-1].json["chunk"] == "so far\n"
        assert await server.read(run, found[-1].id) == []


@pytest.mark.slow
async def test_who_reads_is_told_of_the_end_that_the_server_makes_though_nobody_waits_for_the_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "PATIENCE_FOR_READERS", 0)
    make_project(tmp_path, [shell("A", "touch begun; sleep 600")])
    async with serving_project(tmp_path) as server:
        run = await server.start()
        await until((tmp_path / "begun").exists)
        reading = asyncio.create_task(server.read(run))
        await until(lambda: server.served.readers == 1)
        server.served.stop("the test says so")
        found = await reading
    assert [found[-1].json[name] for name in ("type", "reason")] == ["run_completed", "the test says so"]


@pytest.mark.slow
async def test_a_run_that_is_taken_up_again_is_told_from_where_one_was(tmp_path: Path) -> None:
    make_project(tmp_path, [shell("A", "echo try; test -e ok"), shell("B", "echo b", "A")])
    async with serving_project(tmp_path) as server:
        run = await server.start()
        first = await server.read(run)
        (tmp_path / "ok").touch()
        await server.post("/retry", {"failed": True})
        assert await server.start() == run
        found = [*first, *await server.read(run, first[-1].id)]
    seqs = seqs_of(found)
    assert seqs == list(range(1, len(seqs) + 1))
    assert texts_of(found) == {("A", "stdout"): "try\ntry\n", ("B", "stdout"): "b\n"}


@pytest.mark.slow
async def test_of_live_output_all_or_only_what_is_new_or_nothing_is_told(tmp_path: Path) -> None:
    make_project(tmp_path, [shell("A", "printf 'old ü'; touch begun; until test -e go; do sleep 0.01; done; echo new")])
    async with serving_project(tmp_path) as server:
        run = await server.start()
        await until((tmp_path / "begun").exists)
        started = [
            event["seq"] for event in await server.get(f"/runs/{run}/events", headers={"Accept": "application/json"})
        ][-1]
        wanted = [{}, {"chunks": "none"}, {"chunks": "new", "since": started}]
        reading = [asyncio.create_task(server.read(run, **query)) for query in wanted]
        await until(lambda: server.served.readers == len(reading))
        (feed,) = server.served._feeds.values()  # noqa: SLF001  # nothing else tells that all have had their first look
        await feed.catch_up()
        (tmp_path / "go").touch()
        everything, nothing, new = [texts_of(found) for found in await asyncio.gather(*reading)]
    assert everything == {("A", "stdout"): "old ünew\n"}
    assert nothing == {}
    assert new == {("A", "stdout"): "new\n"}


@pytest.mark.slow
async def test_stored_events_can_be_had_as_a_list(tmp_path: Path) -> None:
    as_json = {"Accept": "application/json"}
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        run = await server.start()
        whole = [message.json for message in await server.read(run, chunks="none")]
        assert await server.get(f"/runs/{run}/events", headers=as_json) == whole
        assert await server.get(f"/runs/{run}/events?since=2", headers=as_json) == whole[2:]
        assert await server.get(f"/runs/{run}/events?since=1&limit=1", headers=as_json) == whole[1:2]
        assert [message.json for message in await server.read(run, chunks="none", since=2)] == whole[2:]


@pytest.mark.parametrize(
    ("address", "headers", "refused"),
    [
        ("/runs/nobody/events", {}, (404, "unknown_run")),
        ("/runs/../../etc/events", {}, (404, "refused")),
        ("/runs/%2e%2e%2f%2e%2e/events", {}, (404, "refused")),
        ("/runs/RUN/events", {"Last-Event-ID": "x"}, (400, "usage")),
        ("/runs/RUN/events", {"Last-Event-ID": "1;2"}, (400, "usage")),
        ("/runs/RUN/events", {"Last-Event-ID": "1000"}, (400, "usage")),
        ("/runs/RUN/events?since=-1", {}, (422, "usage")),
        ("/runs/RUN/events?chunks=some", {}, (422, "usage")),
    ],
)
async def test_what_cannot_be_followed_is_refused(
    tmp_path: Path, address: str, headers: dict[str, str], refused: tuple[int, str]
) -> None:
    async with serving_project(make_project(tmp_path, [shell("A", "true")])) as server:
        address = address.replace("RUN", await server.start())
        assert error_of(await server.client.get(address, headers=headers)) == refused


ALL_KINDS = {
    "agents": {
        "many": {"kind": "python", "function": "yields:many"},
        "played": {"kind": "scripted", "script": [{"say": "first ü"}, {"say": "second"}, {"final": "good"}]},
        "json": {"kind": "script", "command": ["sh", "report.sh"]},
        "tortoise": {"kind": "shell", "command": "echo slow; sleep 600"},
        "hare": {"kind": "shell", "command": "echo fast >&2"},
        "race": {"kind": "hybrid", "strategy": "race", "agents": ["tortoise", "hare"]},
        "both": {"kind": "hybrid", "strategy": "fallback", "agents": ["played", "hare"]},
    }
}


@pytest.mark.slow
async def test_what_is_read_is_what_the_engine_tells_live_of_agents_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "yields.py").write_text(YIELDS)
    (tmp_path / "report.sh").write_text('echo progress >&2; echo \'{"status": "success", "output": "x"}\'')
    agents = ["many", "played", "json", "race", "both"]
    tasks = [{"id": name.upper(), "agent": name, "description": "do it"} for name in agents]
    make_project(tmp_path, [*tasks, shell("SHELL", CHATTY)], ALL_KINDS)
    told: list[dict[str, Any]] = []
    async with ProjectOrchestrator(tmp_path) as orchestrator, orchestrator.stream_batch() as stream:
        told = [event async for event in stream]
    live = [Message("", "message", json.dumps(event)) for event in told]
    async with serving_project(tmp_path) as server:
        found = await server.read(told[0]["run_id"])
    assert texts_of(found) == texts_of(live)
    assert {key[0] for key in texts_of(found)} >= {"MANY", "PLAYED", "JSON", "SHELL", "BOTH/leg-1", "RACE/leg-2"}
    stored = [event for event in told if "seq" in event]
    assert [message.json for message in found if "seq" in message.json] == stored


@pytest.mark.slow
async def test_a_task_that_prints_without_pause_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    make_project(tmp_path, [shell("A", "yes & sleep 100"), shell("B", "sleep 0.3")])
    async with serving_project(tmp_path) as server:
        run = await server.start()
        stream = server.client.stream("GET", f"/runs/{run}/events")
        async with asyncio.timeout(60), stream as response, aclosing(messages(response)) as coming:
            async for message in coming:
                event = message.json
                if event["type"] == "task_completed" and event["task_id"] == "B":
                    break
        await server.post(f"/runs/{run}/cancel", {})
