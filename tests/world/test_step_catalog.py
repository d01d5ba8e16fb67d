"""Files between the tasks of a run: what is carried, with which digests, what is refused, and what a crash leaves."""

import asyncio
import hashlib
import os
import runpy
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration import AsyncPipeline, AsyncPythonTask, Failure, Map, Parallel, PythonTask, ShellTask, current_step
from orchestration.errors import UsageError
from orchestration.steps.carrying import BLOCK
from orchestration.steps.catalog import Catalog
from orchestration.steps.patterns import checked_pattern, find, fits

ROOT = Path(__file__).parents[2]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def here() -> Path:
    step = current_step()
    assert step is not None
    return step.directory


def writes(name: str, text: str = "x") -> Callable[[], None]:
    def write() -> None:
        path = here() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


def removes(name: str) -> Callable[[], None]:
    def remove() -> None:
        (here() / name).unlink()

    return remove


def reads(name: str) -> Callable[[], str]:
    def read() -> str:
        return (here() / name).read_text()

    return read


def pipeline(folder: Path, *steps: Any) -> AsyncPipeline:  # noqa: ANN401  # tasks of every kind
    folder.mkdir(exist_ok=True)
    return AsyncPipeline(list(steps), "p", directory=folder)


@pytest.mark.parametrize("durable", [True, False])
async def test_files_go_from_task_to_task_of_every_kind_with_their_digests(tmp_path: Path, durable: bool) -> None:
    before = Path.cwd()
    one = pipeline(
        tmp_path / "work",
        PythonTask(writes("out/a.csv", "1,2"), "makes", catalog={"put": ["out/*.csv"]}),
        PythonTask(removes("out/a.csv"), "removes"),
        ShellTask("shell", "cat out/a.csv; printf 3 > b.txt", catalog={"get": "out/a.csv", "put": "b.txt"}),
        ShellTask("away", "rm b.txt out/a.csv"),
        PythonTask(reads("b.txt"), "reads", catalog={"get": ["*.txt"]}),
    )
    run = await one.execute(store=tmp_path / "state" if durable else None)
    assert run.status == "success", [step.error for step in run.results]
    assert run["makes"].metadata["catalog"]["put"] == {"out/a.csv": {"sha256": sha(b"1,2"), "size": 3}}
    assert run["shell"].metadata["catalog"]["got"] == {"out/a.csv": {"sha256": sha(b"1,2"), "size": 3}}
    assert run["shell"].output == "1,2"
    assert run["reads"].output == "3"
    assert Path.cwd() == before
    if durable:
        kept = [path for path in (tmp_path / "state").rglob("a.csv") if path.is_file()]
        assert [path.read_text() for path in kept] == ["1,2"]


async def test_a_promised_file_that_is_missing_fails_a_task_that_had_succeeded(tmp_path: Path) -> None:
    run = await pipeline(
        tmp_path / "w",
        PythonTask(lambda: {"n": 1}, "a", returns=["n"], catalog={"put": ["made.txt", "*.json"]}),
    ).execute()
    assert run["a"].failure is Failure.NO_OUTPUT
    assert "promised a file made.txt" in (run["a"].error or "")
    assert "*.json" in (run["a"].error or "")


async def test_a_failed_task_puts_what_it_made_and_keeps_its_own_failure(tmp_path: Path) -> None:
    def fails() -> None:
        writes("half.log", "so far")()
        raise ValueError("no")

    async def hangs() -> None:
        writes("slow.log")()
        await asyncio.sleep(60)

    run = await pipeline(
        tmp_path / "w",
        Parallel(
            "p",
            {
                "f": PythonTask(fails, catalog={"put": ["half.log", "never.txt"]}),
                "h": AsyncPythonTask(hangs, timeout=0.2, catalog={"put": "slow.log"}),
                "s": ShellTask("s", "printf x > s.log; exit 4", catalog={"put": "s.log"}),
            },
        ),
    ).execute()
    assert [run[f"p/{name}"].failure for name in ("f/fails", "h/hangs", "s/s")] == [
        Failure.CRASHED,
        Failure.TIMEOUT,
        Failure.EXIT_CODE,
    ]
    assert list(run["p/f/fails"].metadata["catalog"]["put"]) == ["half.log"]
    assert list(run["p/h/hangs"].metadata["catalog"]["put"]) == ["slow.log"]
    assert list(run["p/s/s"].metadata["catalog"]["put"]) == ["s.log"]


async def test_what_nobody_has_put_fails_the_task_before_it_is_called(tmp_path: Path) -> None:
    called: list[int] = []
    run = await pipeline(
        tmp_path / "w",
        PythonTask(writes("a.txt"), "puts", catalog={"put": "a.txt"}),
        PythonTask(lambda: called.append(1), "gets", catalog={"get": "b.txt"}),
    ).execute()
    assert run["gets"].failure is Failure.NO_OUTPUT
    assert "no task of this run has put a file b.txt before; the catalog has a.txt" in (run["gets"].error or "")
    assert not called


async def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    work = tmp_path / "w"

    def links() -> None:
        (here() / "link.txt").symlink_to(outside / "secret.txt")
        (here() / "folder").symlink_to(outside)
        (here() / "real.txt").write_text("real")
        os.mkfifo(here() / "pipe.txt")

    for number, pattern in enumerate(["link.txt", "folder/secret.txt", "folder/*", "**/secret.txt", "pipe.txt"]):
        run = await pipeline(
            work / f"{number}" if number else work, PythonTask(links, catalog={"put": pattern})
        ).execute()
        assert run["links"].failure is Failure.NO_OUTPUT, pattern
    run = await pipeline(work / "all", PythonTask(links, catalog={"put": "*.txt"})).execute()
    assert run.status == "success"
    assert list(run["links"].metadata["catalog"]["put"]) == ["real.txt"]
    assert sorted(told.split(" ")[0] for told in run["links"].metadata["warnings"]) == ["link.txt", "pipe.txt"]


async def test_what_is_brought_follows_no_link_either(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()

    def misleads() -> None:
        (here() / "out" / "a.txt").unlink()
        (here() / "out").rmdir()
        (here() / "out").symlink_to(outside)

    def leaf_link() -> None:
        (here() / "b.txt").unlink()
        (here() / "b.txt").symlink_to(outside / "b.txt")

    run = await pipeline(
        tmp_path / "w",
        PythonTask(writes("out/a.txt"), "a", catalog={"put": "out/a.txt"}),
        PythonTask(writes("b.txt", "b"), "b", catalog={"put": "b.txt"}),
        PythonTask(leaf_link),
        PythonTask(reads("b.txt"), "gets_b", catalog={"get": "b.txt"}),
        PythonTask(misleads),
        PythonTask(lambda: None, "gets", catalog={"get": "out/*"}),
    ).execute()
    assert run["gets_b"].output == "b"
    assert run["gets"].failure is Failure.NO_OUTPUT
    assert not list(outside.iterdir())


@pytest.mark.parametrize(
    "pattern", ["../a", "/etc/passwd", "a/../b", "", " ", "a//b", "~/a", "./", ".", "a\0b", 3, None, "a/./b"]
)
def test_patterns_that_lead_elsewhere_are_refused(pattern: object) -> None:
    for key in ("get", "put"):
        with pytest.raises(UsageError):
            PythonTask(print, "a", catalog={key: [pattern]})  # type: ignore[list-item]  # wrong on purpose


@pytest.mark.parametrize("catalog", [{"got": ["a"]}, ["a"], "a", {"get": 3}, 5])
def test_a_catalog_of_another_form_is_refused(catalog: Any) -> None:  # noqa: ANN401  # wrong on purpose
    with pytest.raises(UsageError, match="catalog"):
        ShellTask("a", "true", catalog=catalog)


async def test_of_one_name_the_last_in_time_counts_and_says_so(tmp_path: Path) -> None:
    work, first_is_in = tmp_path / "w", asyncio.Event()

    async def early() -> None:
        (here() / "same.txt").write_text("early")

    async def late() -> None:
        await first_is_in.wait()
        (here() / "same.txt").write_text("late")

    one = pipeline(
        work,
        Parallel(
            "p",
            {
                "b": AsyncPythonTask(late, catalog={"put": "same.txt"}),
                "a": AsyncPythonTask(early, catalog={"put": "same.txt"}),
            },
        ),
        PythonTask(reads("same.txt"), "reads", catalog={"get": "same.txt"}),
    )
    async with one.execute_streaming() as stream:
        async for event in stream:
            if event["type"] == "task_completed" and event["path"] == "p/a/early":
                first_is_in.set()
        run = await stream.result()
    assert run["reads"].output == "late"
    assert run["p/b/late"].metadata["catalog"]["replaced"] == {"same.txt": "p/a/early"}
    assert run["p/b/late"].metadata["warnings"] == ["same.txt was put by p/a/early before; this one counts"]
    assert "replaced" not in run["p/a/early"].metadata["catalog"]


async def test_a_retry_that_puts_the_same_again_replaces_nobody(tmp_path: Path) -> None:
    tries: list[int] = []

    def second_time() -> None:
        tries.append(1)
        writes("a.txt", str(len(tries)))()
        assert len(tries) > 1

    run = await pipeline(
        tmp_path / "w", PythonTask(second_time, retry={"max": 2, "backoff": 0}, catalog={"put": "a.txt"})
    ).execute()
    assert run.status == "success"
    assert "replaced" not in run["second_time"].metadata["catalog"]
    assert run["second_time"].metadata["catalog"]["put"]["a.txt"]["sha256"] == sha(b"2")


async def test_many_items_put_their_own_files_at_once(tmp_path: Path) -> None:
    def one(item: int) -> None:
        (here() / f"part-{item}.txt").write_text(str(item))

    def joins() -> int:
        return sum(int(path.read_text()) for path in here().glob("part-*.txt"))

    run = await pipeline(
        tmp_path / "w",
        Map("m", PythonTask(one, catalog={"put": "part-*.txt"}), "items", "item", max_concurrent=4),
        ShellTask("rm", "rm part-*.txt"),
        PythonTask(joins, returns=["sum"], catalog={"get": "part-*.txt"}),
    ).execute({"items": list(range(12))})
    assert run.outputs["sum"] == sum(range(12)), [step.error for step in run.results if step.failure]


async def test_a_file_that_was_changed_in_the_catalog_is_not_given_out(tmp_path: Path) -> None:
    state = tmp_path / "state"

    def spoils() -> None:
        (here() / "a.txt").unlink()
        (found,) = [path for path in state.rglob("a.txt") if path.is_file()]
        found.write_text("else")

    one = pipeline(
        tmp_path / "w",
        PythonTask(writes("a.txt", "right"), "puts", catalog={"put": "a.txt"}),
        PythonTask(spoils),
        PythonTask(lambda: None, "gets", catalog={"get": "a.txt"}),
    )
    run = await one.execute(store=state)
    assert run["gets"].failure is Failure.INVALID_OUTPUT
    assert "a.txt is not what puts has put" in (run["gets"].error or "")
    assert [path.name for path in (tmp_path / "w").iterdir()] == []


async def test_a_big_file_is_copied_while_the_loop_goes_on_and_a_cancelled_copy_is_given_up(tmp_path: Path) -> None:
    size = 40 * BLOCK
    work = tmp_path / "w"
    work.mkdir()
    with (work / "big.bin").open("wb") as file:
        file.truncate(size)
    turns = 0

    async def counts() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(counts())
    run = await pipeline(work, PythonTask(lambda: None, "a", catalog={"put": "big.bin"})).execute()
    assert run["a"].metadata["catalog"]["put"]["big.bin"]["size"] == size
    assert turns > 10
    counting.cancel()
    await asyncio.gather(counting, return_exceptions=True)
    catalog = Catalog(tmp_path / "catalog")
    putting = asyncio.create_task(catalog.put(["big.bin"], work, "s", run_outcome()))
    await asyncio.sleep(0)
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)
    assert putting.cancelled()
    assert [path for path in (tmp_path / "catalog").rglob("*") if path.is_file()] == []


def run_outcome() -> Any:  # noqa: ANN401  # an outcome
    from orchestration.results import Outcome

    return Outcome()


DIES = """
    import os
    from pathlib import Path
    from orchestration import AsyncPipeline, PythonTask

    def makes():
        Path("a.txt").write_text("made")

    def dies():
        if not Path("tried").exists():
            Path("tried").touch()
            Path("a.txt").unlink()
            os.kill(os.getpid(), 9)
        return Path("a.txt").read_text()

    pipeline = AsyncPipeline([
        PythonTask(makes, catalog={"put": "*.txt"}), PythonTask(dies, returns=["text"], catalog={"get": ["a.txt"]}),
    ])
    if __name__ == "__main__":
        pipeline.run(None, "r", store="state")
"""


@pytest.mark.slow
async def test_what_was_put_survives_a_kill_and_the_run_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dies.py").write_text(textwrap.dedent(DIES))
    ours = {**os.environ, "PYTHONPATH": str(ROOT)}
    died = subprocess.run([sys.executable, "dies.py"], cwd=tmp_path, env=ours, timeout=60, check=False)  # noqa: ASYNC221  # nothing else runs
    assert died.returncode == -9
    monkeypatch.chdir(tmp_path)
    run = await runpy.run_path("dies.py")["pipeline"].execute(None, "r", store="state")
    assert run.outputs == {"text": "made"}
    assert len(run["makes"].attempts) == 1
    assert len(run["dies"].attempts) == 2


async def test_a_run_in_memory_leaves_no_files_when_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gc
    import tempfile

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    run = await pipeline(tmp_path / "w", PythonTask(writes("a"), "a", catalog={"put": "a"})).execute()
    assert run.status == "success"
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize(
    ("name", "pattern", "does"),
    [
        ("a.csv", "*.csv", True),
        ("out/a.csv", "*.csv", False),
        ("out/a.csv", "out/*.csv", True),
        ("out/a.csv", "**/*.csv", True),
        ("a.csv", "**/*.csv", True),
        ("x/y/z.csv", "x/**", True),
        ("x", "x/**", False),
        ("x/y/z.csv", "**/y/*", True),
        (".env", "*", False),
        (".env", ".e*", True),
        (".git/config", "**", False),
        (".git/config", ".git/**", True),
        ("x/.git/config", "**/config", False),
        ("a1", "a[0-9]", True),
        ("ab", "a?", True),
        ("A.CSV", "*.csv", False),
        ("x/y", "**/**/**/y", True),
        ("x/y", "x/y/**", False),
    ],
)
def test_patterns_mean_what_shells_mean(tmp_path: Path, name: str, pattern: str, does: bool) -> None:
    assert fits(name, checked_pattern(pattern, "here")) is does
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    assert find(tmp_path, pattern).files == ([name] if does else [])
