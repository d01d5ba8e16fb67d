"""The log of one task: there while it runs, whole afterwards, for runs in memory where a folder is given."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestration import AsyncPipeline, AsyncPythonTask, Map, PythonTask, ShellTask, current_step
from orchestration.errors import UsageError
from orchestration.steps import logs
from orchestration.steps.logs import StepLog

say = print  # functions of users print


def log_path() -> Path | None:
    step = current_step()
    assert step is not None
    return step.log_path


@pytest.mark.parametrize("durable", [True, False])
async def test_it_can_be_read_while_the_task_runs(tmp_path: Path, durable: bool) -> None:
    seen, go_on = asyncio.Event(), asyncio.Event()

    async def talks() -> AsyncIterator[object]:
        say("first line")
        yield {"n": 1}
        seen.set()
        await go_on.wait()
        say("second line")
        yield "text"

    pipeline = AsyncPipeline([AsyncPythonTask(talks, "t")])
    options = {"store": tmp_path} if durable else {"logs": tmp_path}
    running = asyncio.create_task(pipeline.execute(run_id="r", **options))  # type: ignore[arg-type]  # one of two options
    await seen.wait()
    folder = (tmp_path / "runs" if durable else tmp_path) / "r" / "t" / "1"
    assert (folder / "stdout.log").read_text() == "first line\n"
    assert (folder / "chunks.jsonl").read_text() == '{"n": 1}\n'
    go_on.set()
    run = await running
    assert run["t"].log_path == str(folder)
    assert (folder / "stdout.log").read_text() == "first line\nsecond line\n"
    assert (folder / "chunks.jsonl").read_text() == '{"n": 1}\n"text"\n'


async def test_a_thread_prints_into_it_as_it_goes_and_knows_where_it_is(tmp_path: Path) -> None:
    go_on = threading.Event()
    told: list[Path | None] = []

    def prints() -> None:
        told.append(log_path())
        say("begun")
        assert go_on.wait(30)
        say("done")

    running = asyncio.create_task(AsyncPipeline([PythonTask(prints)]).execute(run_id="r", logs=tmp_path))
    path = tmp_path / "r" / "prints" / "1" / "stdout.log"
    async with asyncio.timeout(30):
        while not path.exists() or not path.read_text():  # noqa: ASYNC110  # written by a thread
            await asyncio.sleep(0.005)
    assert path.read_text() == "begun\n"
    go_on.set()
    run = await running
    assert path.read_text() == "begun\ndone\n"
    assert run["prints"].output == "begun\ndone\n"
    assert told == [path.parent]


async def test_each_item_and_each_attempt_has_its_own_and_commands_have_theirs(tmp_path: Path) -> None:
    tries: list[int] = []

    def one(item: int) -> None:
        say(f"item {item}")
        tries.append(item)
        assert tries.count(item) > 1

    pipeline = AsyncPipeline(
        [
            Map("m", PythonTask(one, "x", retry={"max": 2, "backoff": 0}), "items", "item"),
            ShellTask("s", "echo out; echo err >&2"),
        ]
    )
    run = await pipeline.execute({"items": [0, 1]}, "r", logs=tmp_path)
    for item in (0, 1):
        for attempt in (1, 2):
            assert (tmp_path / "r" / f"m[{item}]" / "x" / f"{attempt}" / "stdout.log").read_text() == f"item {item}\n"
    assert Path(run["s"].log_path or "", "stdout.log").read_text() == "out\n"
    assert Path(run["s"].log_path or "", "stderr.log").read_text() == "err\n"


async def test_what_says_nothing_has_none_and_memory_keeps_none_unless_asked(tmp_path: Path) -> None:
    quiet = await AsyncPipeline([PythonTask(lambda: None, "q")]).execute(logs=tmp_path)
    assert quiet["q"].log_path is None
    loud = await AsyncPipeline([PythonTask(lambda: (say("x"), log_path())[1], "q", returns=["p"])]).execute()
    assert loud["q"].log_path is None
    assert loud.outputs == {"p": None}


async def test_a_durable_run_keeps_them_where_it_is_kept(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keeps its logs in the folder of its store"):
        await AsyncPipeline([PythonTask(lambda: None, "q")]).execute(store=tmp_path / "s", logs=tmp_path / "l")


async def test_a_log_that_cannot_be_written_is_no_fault_of_who_prints(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("a file where the folder should be")
    run = await AsyncPipeline([PythonTask(lambda: say("x"), "q")]).execute(run_id="r", logs=tmp_path)
    assert run["q"].status == "success"
    assert run["q"].output == "x\n"
    assert "its log could not be written" in run["q"].metadata["warnings"][0]


def test_a_log_has_a_maximum_and_says_so_and_takes_nothing_once_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_LOG", 100)
    log = StepLog(tmp_path, "r/s/1")
    folder = tmp_path / "r" / "s" / "1"
    for _ in range(1_000):
        log.keep_printed("0123456789\n")
    text = (folder / "stdout.log").read_text()
    assert text.count("0123456789\n") == 9
    assert text.endswith("… the rest is left out: more than 100 characters\n")
    log.close()
    log.keep_printed("late")
    log.keep({"late": 1})
    assert [path.name for path in folder.iterdir()] == ["stdout.log"]
