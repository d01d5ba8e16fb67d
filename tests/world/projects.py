"""Makes small projects on disk for tests: tasks as plain dicts, agents as they stand in `orchestration.yaml`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from orchestration.results import RunResult

LOG = "echo $ORCH_TASK_ID >> done.log"
"""A command that leaves a trace, for `done` to read."""


def make_project(
    root: Path,
    tasks: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Write the project; a task without an agent is a shell task, whose description is its command."""
    (root / "tasks").mkdir(parents=True, exist_ok=True)
    written = [{"agent": "shell", **task} for task in tasks]
    (root / "tasks" / "all.yaml").write_text(yaml.safe_dump({"tasks": written}, sort_keys=False))
    (root / "orchestration.yaml").write_text(yaml.safe_dump(dict(settings or {})))
    return root


def shell(task_id: str, command: str, *needs: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  # any field
    """A shell task."""
    return {"id": task_id, "description": command, "depends_on": list(needs), **fields}


def person(task_id: str, *needs: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  # any field
    """A task for a person."""
    return {"id": task_id, "agent": "interactive", "description": "please", "depends_on": list(needs), **fields}


def statuses(run: RunResult | Sequence[Any]) -> dict[str, str]:
    results = run.results if isinstance(run, RunResult) else run
    return {result.task_id: result.status.value for result in results}


def done(root: Path) -> list[str]:
    log = root / "done.log"
    return log.read_text().split() if log.exists() else []


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # what is waited for happens in another process
            await asyncio.sleep(0.01)
