"""For tests of and with the engine: an executor that follows a script, a doer likewise, a loop in virtual time.

Fakes, not mocks: `FakeExecutor` passes the same contract tests as the real executors, and records what it was asked to
do. In `VirtualTimeLoop` an `asyncio.sleep(3600)` takes no time and still ends in the right order; nothing in it may
wait for another thread or process, because the clock would run on meanwhile.

`scripted_agent` makes an agent that is a real program and does what it is told, also what goes wrong; `TRICKS` are the
scripts that have a name.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import field
from typing import Any, TypeVar

from orchestration.kinds import Failure
from orchestration.models import ScriptedAgent
from orchestration.protocols import Decision, Expansion, Report, Reporting, Work
from orchestration.records import dataclass
from orchestration.results import Outcome
from orchestration.scripted import BadScript, problems_of
from orchestration.scripted.tricks import TRICKS as _TRICKS

T = TypeVar("T")


class _VirtualSelector(selectors.DefaultSelector):
    """Turns waiting into a step of the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it; it begins at 0 seconds."""

    def __init__(self) -> None:
        """A loop at time 0."""
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual.now


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end in a virtual-time loop of its own."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


@dataclass(frozen=True, slots=True)
class Step:
    """What one attempt does: yields chunks, takes a time (seconds), and comes to an outcome or an exception."""

    seconds: float = 0.0
    outcome: Outcome = field(default_factory=Outcome)
    chunks: Sequence[Any] = ()
    error: BaseException | None = None
    stubborn: float = 0.0
    """Seconds that it takes to end after it was cancelled."""
    returns_after: float = 0.0
    """Seconds for which its thread goes on, where its outcome says that it was abandoned."""


FAILS = Step(outcome=Outcome(failure=Failure.EXIT_CODE, error="it failed", exit_code=1))
"""An attempt that fails at once."""


@dataclass(slots=True)
class Script:
    """For each task the steps of its attempts; the last one repeats, and a task without steps succeeds at once.

    `calls` lists every attempt as `(task id, attempt, slot)`; `running` and `peak` count attempts at work.
    """

    steps: Mapping[str, Sequence[Step]] = field(default_factory=dict)
    calls: list[tuple[str, int, int]] = field(default_factory=list)
    running: int = 0
    peak: int = 0

    async def play(self, task_id: str, attempt: int, slot: int, report: Report) -> Outcome:
        """One attempt."""
        step = self._step(task_id, attempt)
        self.calls.append((task_id, attempt, slot))
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            return await _follow(step, report)
        finally:
            self.running -= 1

    async def wait_for_return(self, task_id: str, attempt: int) -> None:
        """Wait until the thread of an abandoned attempt has returned."""
        await asyncio.sleep(self._step(task_id, attempt).returns_after)

    def _step(self, task_id: str, attempt: int) -> Step:
        steps = self.steps.get(task_id) or (Step(),)
        return steps[min(attempt, len(steps)) - 1]


async def _follow(step: Step, report: Report) -> Outcome:
    try:
        for chunk in step.chunks:
            if (slow := report(chunk, None)) is not None:
                await slow
        await asyncio.sleep(step.seconds)
    except asyncio.CancelledError:
        await asyncio.sleep(step.stubborn)
        raise
    if step.error is not None:
        raise step.error
    return step.outcome


TRICKS: Mapping[str, Sequence[Any]] = _TRICKS
"""Scripts for what agents do right and wrong, by name: `scripted_agent({"trick": name})`."""


def scripted_agent(*steps: Any, **options: Any) -> ScriptedAgent:  # noqa: ANN401  # whatever the model takes
    """An agent of kind `scripted` that plays these steps.

    Args:
        steps: words and mappings, as in `docs/scripted.md`.
        options: fields of the agent, such as `seed` or `idle_timeout`.

    Raises:
        BadScript: a step makes no sense.
    """
    problems = problems_of(steps)
    if problems:
        raise BadScript(problems)
    return ScriptedAgent(script=steps, **options)


class FakeExecutor:
    """An executor that follows a script, by task id."""

    def __init__(self, script: Script | None = None) -> None:
        """Without a script every attempt succeeds at once."""
        self.script = script or Script()

    async def execute(self, work: Work, report: Report) -> Outcome:
        """Play the attempt."""
        return await self.script.play(work.task.id, work.attempt, work.slot, report)


class FakeDoer:
    """Has attempts done by a script, without agents and files; conditions are answered by a table."""

    def __init__(
        self,
        script: Script | None = None,
        conditions: Mapping[str, Callable[[], bool]] | None = None,
        *,
        expansions: Mapping[str, Expansion] | None = None,
        joins: Mapping[str, Callable[[], Decision | None]] | None = None,
    ) -> None:
        """Without conditions, every `when` is true; without expansions, nothing becomes several."""
        self.script = script or Script()
        self._expansions = expansions or {}
        self._joins = joins or {}
        self._conditions = conditions or {}

    async def perform(
        self,
        task_id: str,
        attempt: int,
        slot: int,
        report: Reporting,
        agent: str | None = None,  # noqa: ARG002  # the seam's signature
    ) -> Outcome | Expansion:
        """Play the attempt; a task with an expansion becomes several."""
        expansion = self._expansions.get(task_id)
        return expansion or await self.script.play(task_id, attempt, slot, report)

    def join(self, task_id: str) -> Decision | None:
        """What the table says."""
        return self._joins[task_id]() if task_id in self._joins else None

    def decide(self, task_id: str) -> bool:
        """What the table says."""
        return self._conditions.get(task_id, lambda: True)()

    def salvage(self, task_id: str, attempt: int) -> Outcome:  # noqa: ARG002  # the seam's signature
        """Nothing is left of a fake."""
        return Outcome()

    async def wait_for_return(self, task_id: str, attempt: int) -> None:
        """Wait as long as the script says that its thread goes on."""
        await self.script.wait_for_return(task_id, attempt)
