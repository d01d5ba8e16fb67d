"""Steps that wait for another run of their own executor: each keeps its place meanwhile, and needs one more to go on.

Where all places are held by such steps, none of them would ever go on, and nothing would ever say so. So the one that
would take the last place is refused. Edges survived: a step that waits for several runs at once (it holds one place), a
run that is over or was cancelled, executors without a limit.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.errors import UsageError
from orchestration.steps.current import current_step


class Waiting:
    """The steps of one executor that wait for another run of it.

    Args:
        places: how many steps may run at once; None for no limit.
    """

    __slots__ = ("_places", "_runs", "_steps")

    def __init__(self, places: int | None) -> None:
        """Nobody waits."""
        self._places = places
        self._runs: dict[str, int] = {}
        self._steps: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def running(self, depth: int, run_id: str) -> Iterator[None]:
        """A run of the executor, inside of so many others, goes on as long as this lasts."""
        self._runs[run_id] = depth
        try:
            yield
        finally:
            self._runs.pop(run_id, None)

    @contextmanager
    def entered(self) -> Iterator[int]:
        """Whoever calls waits for a run as long as this lasts; inside of how many others that run is.

        Raises:
            UsageError: it is a step of the executor, and nothing could ever go on.
        """
        step = current_step()
        if step is None or step.run_id not in self._runs:
            yield 0
            return
        place = (step.run_id, step.path)
        if self._places is not None and len({*self._steps, place}) >= self._places:
            raise UsageError(
                f"step {step.path} would wait for ever: all places of this executor (max_concurrent={self._places}) "
                "are held by steps that wait for another run of it; put that flow in the step's place, "
                "FlowStep(id, flow=…), or run it by another executor",
            )
        self._steps[place] += 1
        try:
            yield self._runs[step.run_id] + 1
        finally:
            self._steps[place] -= 1
            if not self._steps[place]:
                del self._steps[place]
