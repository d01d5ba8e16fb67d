"""That no pattern of a catalog means where the run itself is kept, and what is told beside the files that one finds."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestration import AsyncPipeline, Failure, PythonTask, current_step
from orchestration.results import RunResult
from orchestration.steps.patterns import find

EVERYTHING = "**"


def here() -> Path:
    step = current_step()
    assert step is not None
    return step.directory


def makes() -> None:
    (here() / "made.txt").write_text("made")


def put(run: RunResult, step: str = "makes") -> list[str]:
    return list(run[step].metadata["catalog"]["put"])


@pytest.mark.parametrize("store", ["state", "deep/state", "."])
async def test_a_durable_run_in_the_folder_where_it_works_is_neither_put_nor_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pipeline = AsyncPipeline(
        [
            PythonTask(makes, catalog={"put": EVERYTHING}),
            PythonTask(lambda: None, "gets", catalog={"get": EVERYTHING, "put": ["**/*.txt", "made.*"]}),
        ]
    )
    for _ in range(2):
        run = await pipeline.execute(store=store, run_id="r")
        assert run.succeeded, [step.error for step in run.results]
    assert put(run) == put(run, "gets") == ["made.txt"]
    with closing(sqlite3.connect(tmp_path / store / "state.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT count(*) FROM events WHERE run_id = 'r'").fetchall() == [(6,)]


async def test_a_pattern_that_names_the_state_finds_nothing_there(tmp_path: Path) -> None:
    steps = [
        PythonTask(lambda: None, f"s{n}", catalog={"put": pattern})
        for n, pattern in enumerate(["state/state.db", "state/*", "state/runs/**", "state/runs/r/**"])
    ]
    for step in steps:
        run = await AsyncPipeline([step], directory=tmp_path).execute(store=tmp_path / "state")
        assert run.results[0].failure is Failure.NO_OUTPUT
        assert put(run, run.results[0].task_id) == []


async def test_logs_of_a_run_in_memory_are_not_put_either(tmp_path: Path) -> None:
    def prints() -> None:
        print("printed")  # noqa: T201  # the log of a function is what it prints
        makes()

    pipeline = AsyncPipeline([PythonTask(prints, "makes", catalog={"put": EVERYTHING})], directory=tmp_path)
    run = await pipeline.execute(logs=tmp_path / "logs")
    assert put(run) == ["made.txt"]
    assert [*(tmp_path / "logs").rglob("stdout.log")]


async def test_links_to_whatever_are_told_and_folders_are_not(tmp_path: Path) -> None:
    for folder in ("out", "out/a b", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "out/file").write_text("x")
    (tmp_path / "out/to folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out/to nowhere").symlink_to("nowhere")
    found = find(tmp_path, "out/*")
    assert (found.files, found.folders, found.others) == (
        ["out/file"],
        ["out/a b"],
        ["out/to folder", "out/to nowhere"],
    )
    run = await AsyncPipeline(
        [PythonTask(lambda: None, "puts", catalog={"put": "out/*"})], directory=tmp_path
    ).execute()
    told = [f"out/{name} is a link or no file, and is not carried" for name in ("to folder", "to nowhere")]
    assert run["puts"].metadata["warnings"] == told


async def test_where_a_folder_has_the_name_of_a_file_the_task_fails_by_that_name(tmp_path: Path) -> None:
    def make() -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out/a.txt").write_text("x")

    def be_in_the_way() -> None:
        (tmp_path / "out/a.txt").unlink()
        (tmp_path / "out/a.txt/more").mkdir(parents=True)

    steps = [
        PythonTask(make, catalog={"put": ["out/*"]}),
        PythonTask(be_in_the_way),
        PythonTask(lambda: None, "get", catalog={"get": ["out/*"]}),
    ]
    run = await AsyncPipeline(steps, directory=tmp_path).execute()
    assert run["get"].failure is Failure.NO_OUTPUT
    assert run["get"].error == "a file cannot be brought here: out/a.txt: Is a directory"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.txt"]  # and no half of a copy
