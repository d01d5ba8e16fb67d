"""A function called in our own process: for pipelines and flows, and wherever a caller gave a function itself.

Async functions run in a task of their own (what they do to context variables stays theirs), plain ones in a thread;
whatever is yielded is reported as it comes, and the generator waits until it was taken. What they print is not
captured: that would take `sys.stdout` away from the host's other threads.

Edges survived: a function that cancels itself, exits, or raises what a future cannot carry (StopIteration); a plain
function that returns a coroutine; a thread that outlives its deadline (it is abandoned, and its late result refused);
a generator in a thread whose attempt is over (its next item ends it); a listener that fails (that is no fault of the
function's, and is raised).
"""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from types import GeneratorType
from typing import Any

from orchestration.calls import (
    Ended,
    HandOver,
    Threads,
    generation,
    in_thread,
    is_async,
    leave_if_forked,
    leave_instead_of_waiting,
    name_of,
)
from orchestration.calls.threads import call_in
from orchestration.errors import NoThread
from orchestration.executors._document import task_of
from orchestration.executors._ending import with_hint
from orchestration.executors._watch import Watch
from orchestration.executors._yielded import Yielded
from orchestration.kinds import Failure
from orchestration.protocols import Report, Work
from orchestration.results import Outcome
from orchestration.worker.calling import CannotCall, arguments, imported, passed_on
from orchestration.worker.drawing import drawn, is_pending, settled
from orchestration.worker.faults import exited, explained


class HostCall:
    """One attempt by a function in this process."""

    def __init__(self, work: Work, function: str | Callable[..., Any], threads: Threads, report: Report) -> None:
        """Nothing is imported or called."""
        self._work = work
        self._function = function
        self._name = function if isinstance(function, str) else name_of(function)
        self._threads = threads
        self._yielded = Yielded(report)
        self._watch = Watch(work)
        self._loop = asyncio.get_running_loop()
        self._returned: asyncio.Future[None] = self._loop.create_future()
        self._fault: Exception | None = None
        self._handing = HandOver()
        self._generation = generation()

    async def outcome(self) -> Outcome:
        """Call it, and say what came of it."""
        try:
            function = await self._found()
            positional, named = arguments(self._name, function, _Known(self._work))
            job = await self._begun(function, partial(function, *positional, **named))
        except CannotCall as error:
            return Outcome(failure=Failure.AGENT_MISSING, error=with_hint(error.message, error.hint))
        except NoThread as error:
            return Outcome(
                failure=Failure.INTERNAL, error=f"{self._name} was not called: {with_hint(error.message, error.hint)}"
            )
        except Exception as error:  # noqa: BLE001  # whatever a module raises while it is imported
            return self._crashed(error)
        self._watch.start()
        return await self._watched(job)

    async def _begun(self, function: Callable[..., Any], call: Callable[[], Any]) -> "asyncio.Future[Ended]":
        if is_async(function):
            return self._loop.create_task(self._guarded(call))
        return await self._threads.start(partial(self._in_thread, call))

    async def _found(self) -> Callable[..., Any]:
        if not isinstance(self._function, str):
            return self._function
        if self._function.partition(":")[0] in sys.modules:
            return imported(self._function)
        function, error = await (await self._threads.start(partial(imported, self._function)))
        if error is not None:
            raise error
        return function  # type: ignore[no-any-return]  # `imported` gives what can be called

    async def _watched(self, job: asyncio.Future[Ended]) -> Outcome:
        try:
            limit = await self._watch.wait_for_end(job)
        except asyncio.CancelledError:
            if not await self._end(job):
                self._work.keep(Outcome(abandoned=True))
            raise
        if limit is not None:
            return await self._ended_at(limit, job)
        if self._fault is not None:
            raise self._fault
        if job.cancelled():
            return Outcome(failure=Failure.CRASHED, error=f"{self._name} cancelled itself")
        value, error = job.result()
        if error is not None:
            return self._crashed(error)
        if is_pending(value):  # what a plain function returned
            return await self._watched(self._loop.create_task(self._guarded(lambda: value)))
        return self._succeeded(value)

    async def _ended_at(self, limit: Failure, job: asyncio.Future[Ended]) -> Outcome:
        abandoned = not await self._end(job)
        error = f"{self._name} {self._watch.told(limit)}{'; it cannot be ended and still runs' if abandoned else ''}"
        return Outcome(failure=limit, error=error, ended_by=limit.value, abandoned=abandoned)

    async def _end(self, job: asyncio.Future[Ended]) -> bool:
        self._handing.abandon()
        ended = await self._watch.end(job)
        if not ended:
            self._work.abandon(job if isinstance(job, asyncio.Task) else self._returned)
        return ended

    async def _guarded(self, call: Callable[[], Any]) -> Ended:
        """Call it in this task; an exit does not get out, for one that leaves a task takes the loop with it."""
        try:
            value = call()
            if hasattr(type(value), "__aiter__"):
                self._watch.stream()
            value = await settled(value, self._take)
        except BaseException as error:  # whatever it raises is how it ended, but for two
            leave_if_forked(self._generation, error)
            if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
                raise
            return None, error
        leave_if_forked(self._generation)
        return value, None

    def _in_thread(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever it returns
        in_thread.set(self._handing)
        try:
            value = call()
            if isinstance(value, GeneratorType):
                self._watch.stream()
                return drawn(value, lambda item: self._handing.give(item, self._take))
            return value
        finally:
            call_in(self._loop, self._note_return)

    def _note_return(self) -> None:
        if not self._returned.done():
            self._returned.set_result(None)

    async def _take(self, item: Any) -> None:  # noqa: ANN401  # whatever was yielded
        leave_instead_of_waiting(self._generation)
        self._watch.hold()
        try:
            await self._yielded.take(item)
        except Exception as error:
            self._fault = error
            raise
        finally:
            self._watch.release()

    def _succeeded(self, value: Any) -> Outcome:  # noqa: ANN401  # whatever it returned
        output, outputs = passed_on(value)
        text = self._yielded.text if output is None else output
        dropped = self._yielded.dropped
        metadata = {"output_truncated_characters": dropped} if dropped else {}
        return Outcome(output=text or "", outputs=outputs, metadata=metadata)

    def _crashed(self, error: BaseException) -> Outcome:
        if isinstance(error, SystemExit):
            told, code = exited(self._name, error.code)
            return Outcome(failure=Failure.EXIT_CODE, error=told, exit_code=code)
        sentence, traceback = explained(error, *([self._work.masker.text] if self._work.masker else []))
        told = f"{self._name} raised {sentence}"
        return Outcome(failure=Failure.CRASHED, error=told, metadata={"traceback": traceback})


class _Known(dict[str, Any]):
    """The document for arguments; the task as a dictionary is made only for functions that ask for it."""

    def __init__(self, work: Work) -> None:
        super().__init__(
            inputs=dict(work.inputs),
            upstream=dict(work.upstream),
            parameters=dict(work.parameters),
            prompt=work.prompt,
            attempt=work.attempt,
            run_id=work.run_id,
        )
        self._work = work

    def __missing__(self, key: str) -> Any:  # noqa: ANN401  # any field of the document
        if key != "task":
            raise KeyError(key)
        return task_of(self._work)
