"""One call of a step's function, from its beginning to what came of it.

It begins in the caller's own turn: a function that never waits has returned by the end of `begin`, and nothing was
awaited for it; where it returned nothing either, there was not even a `Call`. One that waits is driven on (`Drive`),
within its limits.

Edges survived: whatever a function raises, an exit too; one that cancels itself; one that swallows its cancellation; a
thread that outlives its deadline (it is abandoned, and its late result refused); generators of both kinds, which wait
until their items were taken; a listener that fails (that is no fault of the function's); a plain function that returns
a coroutine.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from dataclasses import replace
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from orchestration.calls import (
    NOT_BEGUN,
    Drive,
    HandOver,
    Printed,
    in_thread,
    leave_if_forked,
    leave_instead_of_waiting,
    printed_into,
    refuse_late,
)
from orchestration.errors import NoThread
from orchestration.kinds import Failure
from orchestration.protocols import Reporting
from orchestration.results import Outcome
from orchestration.steps.crew import StepCrew
from orchestration.steps.items import Items, ListenerFault
from orchestration.steps.logs import LivePrinted
from orchestration.steps.unit import Seat
from orchestration.worker.faults import exited, explained

if TYPE_CHECKING:
    from orchestration.steps.functions import FunctionLeaf

DONE: Final = Outcome()
"""What a call came to that did nothing but return."""

Arguments: TypeAlias = tuple[list[Any], dict[str, Any]]
"""Those by position, and those by name."""

NO_ARGUMENTS: Final[Arguments] = ([], {})
"""For all functions that take none; nobody writes into it."""


def begin(
    leaf: "FunctionLeaf", seat: Seat, attempt: int, report: Reporting, crew: StepCrew, arguments: Arguments
) -> Outcome | Awaitable[Outcome]:
    """Call a function: what came of it, or what is to be awaited for that.

    Args:
        leaf: whose function is called.
        seat: at which place of the run.
        attempt: the number of the attempt.
        report: takes what it yields and prints.
        crew: knows the run.
        arguments: what it is called with.
    """
    context, printed = copy_context(), _kept_text(crew, seat, attempt) if crew.keeps_text else Printed()
    printed.situation = crew.situation(seat, attempt)
    if not leaf.signature.only_returns:
        return Call(leaf, seat, attempt, report, crew, context, printed).drawn(arguments)
    try:
        coroutine, waits_for = context.run(_begun, leaf.function, arguments, printed)
    except StopIteration as stop:
        leave_if_forked(crew.generation)
        value = stop.value
        if value is None and printed.parts is None and not leaf.returns and not crew.keeps_text:
            return DONE
        return Call(leaf, seat, attempt, report, crew, context, printed).returned(value)
    except BaseException as error:  # noqa: BLE001  # whatever a function raises is an outcome, but for a few
        return Call(leaf, seat, attempt, report, crew, context, printed).raised(error)
    leave_instead_of_waiting(crew.generation)
    return Call(leaf, seat, attempt, report, crew, context, printed).driven(coroutine, waits_for)


def _kept_text(crew: StepCrew, seat: Seat, attempt: int) -> LivePrinted:
    """What takes the text that an attempt prints, where it is logged or has secrets to be hidden."""
    hiding = crew.hiding
    return LivePrinted(crew.log_of(seat, attempt), hiding.masker if hiding else None)


class Call:
    """One call that has begun in its `context`, or will; the other arguments are those of `begin`."""

    __slots__ = ("_attempt", "_context", "_crew", "_items", "_leaf", "_log", "_printed", "_report", "_seat")

    def __init__(
        self,
        leaf: "FunctionLeaf",
        seat: Seat,
        attempt: int,
        report: Reporting,
        crew: StepCrew,
        context: Context,
        printed: Printed,
    ) -> None:
        """Of what came of it, nothing is known."""
        self._leaf = leaf
        self._seat = seat
        self._attempt = attempt
        self._report = report
        self._crew = crew
        self._context = context
        self._printed = printed
        self._log = printed.log if isinstance(printed, LivePrinted) else None
        self._items = None if leaf.signature.only_returns else self._made_items()

    def drawn(self, arguments: Arguments) -> Awaitable[Outcome]:
        """Call what may yield, or needs a thread."""
        assert self._items is not None  # noqa: S101  # as it does not only return; this tells the type checker
        self._context.run(printed_into.set, self._printed)
        return self.driven(self._coroutine(self._items, arguments))

    def returned(self, value: Any) -> Outcome | Awaitable[Outcome]:  # noqa: ANN401  # whatever was returned
        """It has returned without waiting for anything."""
        return self._over(DONE, value)

    def raised(self, error: BaseException) -> Outcome | Awaitable[Outcome]:
        """It has raised without waiting for anything; what is not its own error goes on."""
        self._let_out(error)
        return self._over(self._raised(error), None)

    def _over(self, outcome: Outcome, value: Any) -> Outcome | Awaitable[Outcome]:  # noqa: ANN401  # as above
        if self._log is not None or self._crew.hiding is not None:
            self._close()
        return self._told(outcome, value) if self._printed.parts else self._noted(outcome, value)

    # -- calling ------------------------------------------------------------------------------------------------

    def _made_items(self) -> Items:
        crew, leaf, seat = self._crew, self._leaf, self._seat
        name = f"{crew.run_id}/{seat.path}/{self._attempt} {leaf.signature.name}"
        return Items(
            self._report,
            leaf.end_type,
            self._log,
            crew.hiding,
            expected=bool(leaf.returns),
            whole=leaf.passes_all_on,
            name=name,
        )

    def _coroutine(self, items: Items, arguments: Arguments) -> Coroutine[Any, Any, Any]:
        """What is driven of a function that may yield, or needs a thread."""
        positional, named = arguments
        function, signature = self._leaf.function, self._leaf.signature
        if signature.is_async_generator:
            return items.drawn(self._context.run(function, *positional, **named))
        if signature.is_async:
            return _settled(function, positional, named, items)
        return _in_thread(self._crew, function, positional, named, items)

    async def driven(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any = NOT_BEGUN) -> Outcome:  # noqa: ANN401  # whatever a loop takes
        """What came of a call that waits for something, or may have to."""
        leaf, report, items = self._leaf, self._report, self._items
        needs_thread = not leaf.signature.is_async
        drive = Drive(
            coroutine,
            self._context,
            leaf.limits,
            lambda: report.is_ending,
            starts_later=needs_thread,
            waits_for=waits_for,
        )
        if items is not None:
            items.drive = drive
        outcome, value = DONE, None
        try:
            value = await drive
        except BaseException as error:  # noqa: BLE001  # whatever a function raises is an outcome, but for a few
            self._let_out(error, was_cut_off=drive.met is not None)
            if drive.met is None:
                outcome = self._raised(error)
        if drive.met is not None:
            outcome, value = self._cut_off(drive), None
        if self._close():
            outcome = replace(outcome, abandoned=True)
        return await self._told(outcome, value)

    def _let_out(self, error: BaseException, *, was_cut_off: bool = False) -> None:
        """Raise what is not the function's own: our cancellation, a listener's fault, Ctrl-C."""
        leave_if_forked(self._crew.generation, error)
        if isinstance(error, ListenerFault):
            self._close()
            raise error.error from None
        if isinstance(error, asyncio.CancelledError) and not was_cut_off:
            self._close()
            if self._printed:
                self._crew.left[self._seat.path, self._attempt] = _printed(DONE, self._printed)
            raise error
        if isinstance(error, KeyboardInterrupt) and self._leaf.signature.is_async and current_thread() is main_thread():
            self._close()
            raise error  # only here is it a Ctrl-C; in other threads nobody but the function itself can have raised it

    def _close(self) -> bool:
        """Nothing more of it counts; returns whether a thread of it was left behind."""
        if isinstance(self._printed, LivePrinted):
            self._printed.finish()
        items = self._items
        left_behind = (
            items is not None
            and items.is_abandoned
            and self._crew.leave_behind(self._seat.path, self._attempt, items.name, items.thread)
        )
        if self._log is not None:
            self._log.close()
        return left_behind

    # -- what came of it ----------------------------------------------------------------------------------------

    def _raised(self, error: BaseException) -> Outcome:
        name, hiding = self._leaf.signature.name, self._crew.hiding
        if isinstance(error, NoThread) and (self._items is None or self._items.thread is None):  # it was not called
            return Outcome(failure=Failure.INTERNAL, error=f"{name} was not called: {error.message} ({error.hint})")
        if isinstance(error, SystemExit):
            told, code = exited(name, error.code)
            return Outcome(failure=Failure.EXIT_CODE, error=told, exit_code=code)
        sentence, traceback = explained(error, _as_it_is if hiding is None else hiding.text)
        metadata = {"exception": type(error).__name__, "traceback": traceback}
        return Outcome(failure=Failure.CRASHED, error=f"{name} raised {sentence}", metadata=metadata)

    def _cut_off(self, drive: Drive) -> Outcome:
        """It has met a limit."""
        items, met = self._items, drive.met
        still = "; it runs in a thread, which cannot be ended, and still runs" if items and items.is_abandoned else ""
        told = f"{self._leaf.signature.name} {drive.told()}{still}"
        return Outcome(failure=met, error=told, ended_by=met.value if met else None)

    async def _told(self, outcome: Outcome, value: Any) -> Outcome:  # noqa: ANN401  # whatever was returned
        """The same, once what it printed was passed on."""
        if self._printed:
            items = self._items or Items(self._report, self._leaf.end_type, self._log, self._crew.hiding)
            await items.tell_printed(str(self._printed))
            outcome = _printed(outcome, self._printed)
        return self._noted(outcome, value)

    def _noted(self, outcome: Outcome, value: Any) -> Outcome:  # noqa: ANN401  # as above
        """The outcome with what it returned, and where its log is."""
        is_plain = outcome is DONE and value is None and not self._leaf.returns
        if outcome.failure is None and not (is_plain and (self._items is None or self._items.are_none)):
            outcome = self._leaf.passed_on(self._seat, self._crew, outcome, value, self._items)
        return outcome if self._log is None else self._log.noted(outcome)


def _begun(
    function: Callable[..., Any], arguments: Arguments, printed: Printed
) -> tuple[Coroutine[Any, Any, Any], Any]:
    """An async function that was called, and what it waits for; called in the context of the call.

    Raises:
        StopIteration: it has returned already.
    """
    printed_into.set(printed)
    try:
        if arguments is NO_ARGUMENTS:
            coroutine: Coroutine[Any, Any, Any] = function()
        else:
            positional, named = arguments
            coroutine = function(*positional, **named)
    except StopIteration as stop:  # a plain function that is marked as one that makes coroutines
        raise RuntimeError("the call raised StopIteration") from stop
    return coroutine, coroutine.send(None)


async def _settled(function: Callable[..., Any], positional: list[Any], named: dict[str, Any], items: Items) -> Any:  # noqa: ANN401  # whatever it returns
    """Call what only looks like an async function from outside, such as a partial or an object, and await it."""
    return await _awaited(function(*positional, **named), items)


async def _awaited(value: Any, items: Items) -> Any:  # noqa: ANN401  # whatever was returned
    if inspect.isawaitable(value):  # of types.coroutine, which makes generators, too
        value = await value
    if isinstance(value, AsyncIterator):
        return await items.drawn(value)
    return value


async def _in_thread(
    crew: StepCrew, function: Callable[..., Any], positional: list[Any], named: dict[str, Any], items: Items
) -> Any:  # noqa: ANN401  # whatever it returns
    handing = items.handing = HandOver()

    def call() -> Any:  # noqa: ANN401  # whatever it returns
        in_thread.set(handing)
        value = function(*positional, **named)
        is_drawn = inspect.isgenerator(value) and not inspect.isawaitable(value)
        return items.drawn_in_thread(value, handing) if is_drawn else value

    ended = await crew.threads.start(call, items.name)
    items.thread = ended
    if items.drive is not None:
        items.drive.start()
    try:
        value, error = await ended.kept()  # it goes on whatever we do; when it returns is of interest
    except asyncio.CancelledError:
        items.abandon()
        ended.add_done_callback(lambda late: refuse_late(late.result()))
        raise
    if error is not None:
        raise error
    return value if value is None else await _awaited(value, items)


def _as_it_is(text: str) -> str:
    return text


def _printed(outcome: Outcome, printed: Printed) -> Outcome:
    """What it printed: its output where it has no other, and in its record in any case."""
    text = str(printed)
    facts: dict[str, Any] = {"printed": text} | ({"printed_dropped": printed.dropped} if printed.dropped else {})
    return replace(outcome, output=text, metadata={**outcome.metadata, **facts})
