"""What the tests of executors and checks share: an attempt to be done in a folder of its own, and an ear for it."""

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestration.models import Agent, InteractiveAgent, PythonAgent, ScriptAgent, ShellAgent, Task
from orchestration.protocols import Work
from orchestration.results import Outcome

PATIENCE = 30.0  # seconds in which something that is about to happen has to happen


def shell(command: str | None = None) -> ShellAgent:
    """An agent of kind shell."""
    return ShellAgent(command=command)


def script(*command: str) -> ScriptAgent:
    """An agent of kind script."""
    return ScriptAgent(command=command)


def function(target: Any) -> PythonAgent:  # noqa: ANN401  # a name, or anything that can be called
    """An agent of kind python."""
    return PythonAgent(function=target)


def work_for(
    folder: Path,
    agent: Agent | None = None,
    task: Task | None = None,
    environment: Mapping[str, str] | None = None,
    **fields: Any,  # noqa: ANN401  # passed on to the record, which knows the types
) -> Work:
    """An attempt; it works in `folder/project`, and has the marker that real ones have."""
    task = Task(id="T-1", title="The task") if task is None else task
    run_id = f"test-{uuid.uuid4()}"
    directory = folder / "project"
    directory.mkdir(exist_ok=True)
    return Work(
        run_id=run_id,
        task=task,
        agent_name="the-agent",
        agent=InteractiveAgent() if agent is None else agent,
        attempt=1,
        slot=0,
        prompt=fields.pop("prompt", "The prompt."),
        directory=directory,
        folder=folder / "attempt",
        environment={
            "PATH": os.environ.get("PATH", os.defpath),
            "ORCH_ATTEMPT_ID": f"{run_id}/{task.id}/1",
            "ORCH_OUTPUT": str(folder / "given"),
            **(environment or {}),
        },
        **fields,
    )


async def until_ready(
    attempt: Callable[[float], Awaitable[Outcome]], is_ready: Callable[[Outcome], object]
) -> tuple[Outcome, float]:
    """Make an attempt that has to come so far before its limit: on a busy machine with a longer one, until it does.

    Returns the outcome and the limit in seconds that was enough.
    """
    for limit in (0.3, 1.2, 5.0, 20.0):
        outcome = await attempt(limit)
        if is_ready(outcome):
            return outcome, limit
    pytest.fail(f"it does not come that far in 20 s: {outcome}")


@dataclass(slots=True)
class Ear:
    """Keeps what is reported, and lets one wait for a part of it."""

    heard: list[tuple[Any, str | None]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, item: Any, stream: str | None) -> None:  # noqa: ANN401  # whatever is reported
        """Keep an item."""
        self.heard.append((item, stream))
        self._news.set()

    @property
    def items(self) -> list[Any]:
        """What was yielded."""
        return [item for item, stream in self.heard if stream is None]

    def text(self, stream: str = "stdout") -> str:
        """What was written to a stream."""
        return "".join(item for item, of in self.heard if of == stream)

    async def wait_for(self, part: str, stream: str = "stdout") -> None:
        """Wait until a stream has said so."""
        async with asyncio.timeout(PATIENCE):
            while part not in self.text(stream):
                self._news.clear()
                await self._news.wait()

    async def wait_for_item(self, item: Any) -> None:  # noqa: ANN401  # whatever is yielded
        """Wait until an item was yielded."""
        async with asyncio.timeout(PATIENCE):
            while item not in self.items:
                self._news.clear()
                await self._news.wait()
