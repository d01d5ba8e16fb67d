"""What decides that a task is done: commands, files and values, as they pass, fail, and cannot be looked at."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from orchestration.checks import run_checks, run_setup
from orchestration.models import Task
from orchestration.protocols import Work
from orchestration.results import CheckResult
from tests.world.attempts import PATIENCE, work_for
from tests.world.processes import is_living


def work_with(folder: Path, task: dict[str, Any], **fields: Any) -> Work:  # noqa: ANN401  # fields of an attempt
    return work_for(folder, task=Task.model_validate({"id": "T-1", **task}), **fields)


async def check(folder: Path, outputs: dict[str, Any] | None = None, /, **task: Any) -> tuple[CheckResult, ...]:  # noqa: ANN401  # fields of a task
    return await run_checks(work_with(folder, task), outputs=outputs or {})


async def one(folder: Path, outputs: dict[str, Any] | None = None, /, **task: Any) -> CheckResult:  # noqa: ANN401  # as above
    (result,) = await check(folder, outputs, **task)
    return result


async def test_a_task_without_checks_has_none(tmp_path: Path) -> None:
    assert await check(tmp_path) == ()


async def test_all_checks_run_in_order_also_after_one_has_failed(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    results = await check(
        tmp_path,
        {"given": 1},
        verify=["false", "touch made", "exit 3"],
        deliverables=["made", "missing"],
        outputs=["given", "not-given"],
    )
    assert [(r.kind, r.name, r.passed, r.exit_code) for r in results] == [
        ("verify", "false", False, 1),
        ("verify", "touch made", True, 0),
        ("verify", "exit 3", False, 3),
        ("deliverable", "made", True, None),
        ("deliverable", "missing", False, None),
        ("output", "given", True, None),
        ("output", "not-given", False, None),
    ]


async def test_a_check_carries_what_its_command_printed_and_leaves_it_in_a_log(tmp_path: Path) -> None:
    results = await check(tmp_path, verify=["true", "echo out; echo aside >&2; exit 1"])
    assert results[1].log == "out\naside"
    assert results[1].duration_seconds > 0
    assert (tmp_path / "attempt" / "check-2.log").read_text() == "out\naside\n"
    assert [path.name for path in (tmp_path / "attempt").iterdir()] == ["check-2.log"]


async def test_only_the_end_of_what_a_check_printed_is_carried(tmp_path: Path) -> None:
    result = await one(tmp_path, verify="seq 100000")
    assert result.passed
    assert result.log.endswith("\n99999\n100000")
    assert result.log.startswith("[572511 bytes left out]\n")
    assert len(result.log) < 17_000
    assert (tmp_path / "attempt" / "check-1.log").stat().st_size == 588_895


async def test_a_check_sees_the_environment_of_the_attempt_and_works_in_its_folder(tmp_path: Path) -> None:
    work = work_with(tmp_path, {"verify": ['test "$GIVEN" = yes -a "$(pwd)" = "$HERE"']})
    environment = {**work.environment, "GIVEN": "yes", "HERE": str(tmp_path / "project")}
    work = work_with(tmp_path, {"verify": list(work.task.verify)}, environment=environment)
    (result,) = await run_checks(work, outputs={})
    assert result.passed, result.log


@pytest.mark.slow
async def test_a_check_that_hangs_is_ended_at_the_task_s_timeout(tmp_path: Path) -> None:
    for limit in (0.3, 1.2, 5.0, 20.0):  # a busy machine needs a longer one until the command has said something
        work = work_with(tmp_path, {"verify": ["echo $$; sleep 60", "true"]}, timeout=limit, kill_grace=1.0)
        results = await run_checks(work, outputs={})
        assert [result.passed for result in results] == [False, True]
        *pids, note = results[0].log.splitlines()
        assert note == f"[ended after the timeout of {limit:g} s]"
        if pids:
            break
    (pid,) = pids
    assert not is_living(int(pid))


async def test_a_check_that_crashes_is_told(tmp_path: Path) -> None:
    result = await one(tmp_path, verify="kill -SEGV $$")
    assert (result.passed, result.exit_code, result.log) == (False, None, "[killed by signal 11]")


async def test_a_check_that_is_not_there_has_failed_with_a_remedy(tmp_path: Path) -> None:
    result = await one(tmp_path, verify="no-such-program-at-all --flag")
    assert (result.passed, result.exit_code) == (False, 127)
    assert "PATH" in result.log


@pytest.mark.parametrize("command", ["", "  ", "echo a\0b"])
async def test_a_check_that_is_no_command_is_refused_and_has_not_passed(tmp_path: Path, command: str) -> None:
    with pytest.raises(ValueError, match="is no command"):
        Task(id="T-1", verify=(command,))
    task = Task(id="T-1").model_copy(update={"verify": (command,)})  # as a state of another version may have it
    (result,) = await run_checks(work_for(tmp_path, task=task), outputs={})
    assert not result.passed
    assert result.log


async def test_cancelling_ends_the_check_that_runs(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    running = asyncio.create_task(check(tmp_path, verify=[f"echo $$ > {pids}; sleep 60", "touch never"]))
    async with asyncio.timeout(PATIENCE):
        pid = int(await asyncio.to_thread(pids.read_text))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_living(pid)
    assert not (tmp_path / "project" / "never").exists()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "out" / "deep").mkdir(parents=True)
    (project / "out" / "a.md").touch()
    (project / "out" / "deep" / "b.txt").touch()
    (project / "odd[1].md").touch()
    (project / "to-nothing").symlink_to("nothing")
    (project / "to-folder").symlink_to("out")
    (tmp_path / "outside.md").touch()
    return project


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("out/a.md", None),
        ("./out//a.md", None),
        ("out", None),
        ("out/", None),
        ("out/*.md", None),
        ("**/*.txt", None),
        ("out/de?p/b.txt", None),
        ("odd[1].md", None),
        ("to-folder/a.md", None),
        ("out/../out/a.md", None),
        ("out/b.md", "does not exist"),
        ("out/*.txt", "nothing in"),
        ("nothing/**", "nothing in"),
        ("out/**", None),
        ("to-nothing", "does not exist"),
        ("../outside.md", "lies outside"),
        ("out/../../outside.md", "lies outside"),
        ("../*.md", "lies outside"),
        ("out/../../*.md", "lies outside"),
        ("/etc/passwd", "lies outside"),
        ("/etc/*", "lies outside"),
        ("..", "lies outside"),
        ("", "this is no path"),
        ("a\0b", "this is no path"),
        (300 * "x", "cannot be looked at"),
        ("out/**.md", "cannot be looked at"),
    ],
)
async def test_a_deliverable_must_be_in_the_project(
    tmp_path: Path, project: Path, path: str, problem: str | None
) -> None:
    result = await one(tmp_path, deliverables=[path])
    assert (result.kind, result.name, result.passed) == ("deliverable", path, problem is None)
    assert problem is None or problem in result.log
    assert problem is None or path in {"", "a\0b", 300 * "x", "out/**.md"} or str(project) in result.log


async def test_an_absolute_path_into_the_project_counts(tmp_path: Path, project: Path) -> None:
    assert (await one(tmp_path, deliverables=[str(project / "out" / "a.md")])).passed


@pytest.mark.parametrize("value", [None, "", 0, [], "x"])
async def test_a_promised_value_counts_whatever_it_is(tmp_path: Path, value: object) -> None:
    assert (await one(tmp_path, {"name": value}, outputs=["name"])).passed


async def test_a_promise_that_was_not_kept_is_told_with_what_was_passed_on(tmp_path: Path) -> None:
    result = await one(tmp_path, {"a": 1, "b": 2}, outputs=["name"])
    assert result.log == "it was not passed on, only a, b was: write name=VALUE to the file $ORCH_OUTPUT, or return it"
    assert "nothing was" in (await one(tmp_path, outputs=["name"])).log


async def test_setup_commands_run_in_order_until_one_fails(tmp_path: Path) -> None:
    failed = await run_setup(work_with(tmp_path, {"setup": ["touch a", "echo why; exit 4", "touch b"]}))
    assert failed is not None
    assert (failed.kind, failed.name, failed.passed, failed.exit_code) == ("setup", "echo why; exit 4", False, 4)
    assert failed.log == "why"
    assert (tmp_path / "attempt" / "setup-2.log").read_text() == "why\n"
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["a"]


async def test_a_setup_that_works_says_nothing(tmp_path: Path) -> None:
    assert await run_setup(work_with(tmp_path, {"setup": ["true", "touch a"]})) is None
    assert await run_setup(work_with(tmp_path, {})) is None
