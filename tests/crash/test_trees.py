"""Every trick by which processes outlive their task, for every kind of agent, at every kind of end: none is left.

Two seconds and the grace are what is promised; the bounds here are for machines that have no time. While `orch` lives,
nobody is left when the end is told.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cli.project import PATIENCE, Project
from tests.crash.sudden import has_lines, wait_until
from tests.crash.trees import ALL, KINDS, Grove, plant
from tests.crash.trickster import TRICKS
from tests.world.processes import linux_only

pytestmark = [linux_only, pytest.mark.slow]

DEATH_PATIENCE = 20.0
ENDS = ("task_completed", "task_error", "task_cancelled")


@pytest.fixture
def groves() -> Iterator[list[Grove]]:
    """The groves of a test, nobody of which is left when it has failed."""
    made: list[Grove] = []
    yield made
    for grove in made:
        grove.end_all()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def are_ready(grove: Grove) -> None:
    wait_until(has_lines(grove.ready, len(TRICKS)), "not all tricks were played")


@pytest.mark.parametrize(("then", "fields"), [("end", {}), ("stay", {"timeout": 3})], ids=["end", "timeout"])
def test_nobody_is_left_when_the_end_of_an_attempt_is_told(
    project: Project, groves: list[Grove], kind: str, then: str, fields: dict[str, object]
) -> None:
    grove = plant(project, kind, then, **fields)
    groves.append(grove)
    ended, left = [], []
    with project.start(*ALL, "--events") as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["type"] in ENDS:
                ended.append(event["task_id"])
                left += grove.left(event["task_id"])
        process.wait(PATIENCE)
    assert sorted(ended) == sorted(TRICKS)
    assert not left
    assert not grove.left()
    assert then == "stay" or has_lines(grove.ready, len(TRICKS))()


def test_nobody_is_left_when_a_cancellation_is_told(project: Project, groves: list[Grove], kind: str) -> None:
    grove = plant(project, kind, "stay")
    groves.append(grove)
    with project.start(*ALL) as process:
        are_ready(grove)
        first = next(iter(TRICKS))
        assert project.orch("cancel", first).code == 0
        assert not grove.left(first)
        assert all(grove.left(trick) for trick in TRICKS if trick != first), "those of the others live on"
        run_id = project.json("runs")[0]["run_id"]
        done = project.orch("cancel", run_id)
        assert done.code == 0, done.err
        assert not grove.left()
        assert process.wait(PATIENCE) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill-9"])
def test_nobody_is_left_when_orch_itself_is_ended(
    project: Project, groves: list[Grove], kind: str, number: signal.Signals
) -> None:
    grove = plant(project, kind, "stay")
    groves.append(grove)
    with project.start(*ALL) as process:
        are_ready(grove)
        process.send_signal(number)
        assert process.wait(PATIENCE) == (130 if number == signal.SIGINT else -9)
    assert not grove.left_after(DEATH_PATIENCE if number == signal.SIGKILL else 0)


def test_a_supervisor_that_is_killed_takes_nobodys_end_with_it(project: Project, groves: list[Grove]) -> None:
    grove = plant(project, "cli", "stay")
    groves.append(grove)
    left = []
    with project.start(*ALL, "--events") as process:
        are_ready(grove)
        for pid in grove.supervisors():
            os.kill(pid, signal.SIGKILL)
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["type"] in ENDS:
                assert event["failure"] == "crashed"
                left += grove.left(event["task_id"])
        assert process.wait(PATIENCE) == 1
    assert not left
    assert not grove.left()


API = """
import asyncio
from orchestration import ProjectOrchestrator

async def main() -> None:
    async with ProjectOrchestrator(".") as orchestrator:
        await orchestrator.run_batch(max_concurrent=16)

asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["shell", "script", "python"])
def test_nobody_is_left_in_a_program_that_uses_the_python_api(project: Project, groves: list[Grove], kind: str) -> None:
    """Orphans do not come to it, and it has no warden."""
    grove = plant(project, kind, "end")
    groves.append(grove)
    done = subprocess.run(
        [sys.executable, "-c", API], cwd=project.root, env=project.environment, timeout=PATIENCE, check=True
    )
    assert done.returncode == 0
    assert has_lines(grove.ready, len(TRICKS))()
    assert not grove.left()
