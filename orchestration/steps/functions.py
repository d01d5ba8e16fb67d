"""Steps that call a function in this process: async functions in the slot's own task, plain ones in threads.

Edges survived: whatever a function raises, an exit too; one that cancels itself; one that swallows its cancellation; a
thread that outlives its deadline (it is abandoned, and its late result refused); generators of both kinds, which wait
until their items were taken; a listener that fails (that is no fault of the function's); a plain function that returns
a coroutine; returns that are missing, or more, or no JSON where they have to be.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextvars import Context, copy_context
from dataclasses import replace
from threading import current_thread, main_thread
from typing import Any, Final, TypeAlias

from orchestration.calls import Drive, HandOver, Limits, Printed, printed_into
from orchestration.errors import OrchError
from orchestration.kinds import Failure
from orchestration.protocols import Reporting
from orchestration.results import Outcome
from orchestration.shown import shown
from orchestration.steps import reading
from orchestration.steps.binding import CannotBind, Signature
from orchestration.steps.crew import StepCrew
from orchestration.steps.current import CurrentStep, enter
from orchestration.steps.hiding import bound
from orchestration.steps.items import Items, ListenerFault
from orchestration.steps.logs import LivePrinted, StepLog
from orchestration.steps.returns import BadReturn, Return, Returned, bind, kept
from orchestration.steps.unit import Seat
from orchestration.steps.values import apart, text_of
from orchestration.worker.faults import explained

_DONE: Final = Outcome()

Arguments: TypeAlias = tuple[list[Any], dict[str, Any]]
"""Those by position, and those by name."""


class FunctionLeaf:
    """Calls one function.

    Args:
        function: what is called.
        returns: the names under which it passes values on.
        end_type: the `type` of the item with which a generator says what it returns.
        limits: what a call may take.
        signature: its parameters, where they were read already.
    """

    __slots__ = (
        "_end_type",
        "_limits",
        "function",
        "returns",
        "signature",
    )

    kind = "python"

    def __init__(
        self,
        function: Callable[..., Any],
        returns: tuple[Return, ...] = (),
        *,
        end_type: str = "done",
        limits: Limits,
        signature: Signature | None = None,
    ) -> None:
        """Read its parameters; nothing is called."""
        self.function = function
        self.returns = returns
        self.signature = signature or Signature(function)
        self._end_type = end_type
        self._limits = limits

    @property
    def is_in_thread(self) -> bool:
        """Whether a call takes a thread."""
        return not self.signature.is_async

    def arguments(self, seat: Seat) -> Arguments:
        """The arguments of a call; raises CannotBind."""
        secrets = seat.box.crew.given_to(seat.path).secrets
        find, known = seat.box.find, seat.box.known
        return bound(self.signature, secrets, find, known) if secrets else self.signature.bind(find, known)

    async def perform(self, seat: Seat, attempt: int, slot: int, report: Reporting, crew: StepCrew) -> Outcome:
        """Call it once."""
        del slot
        try:
            arguments = self.arguments(seat)
        except OrchError as error:
            return cannot_call(error)
        return await self.called(arguments, seat, attempt, report, crew)

    async def called(
        self, arguments: Arguments, seat: Seat, attempt: int, report: Reporting, crew: StepCrew
    ) -> Outcome:
        """Call it with these arguments."""
        positional, named = arguments
        context, log, hiding = copy_context(), crew.log_of(seat, attempt), crew.hiding
        printed = Printed() if log is None and hiding is None else LivePrinted(log, hiding.masker if hiding else None)
        context.run(_begin, crew.current(seat, attempt), printed)
        items = None if self.signature.only_returns else self._items(seat, attempt, report, crew, log)
        call = self._calling(crew, context, items, positional, named)
        try:
            mask = _as_it_is if hiding is None else hiding.text
            outcome, value = await self._driven(call, context, items, report, mask)
        except asyncio.CancelledError:
            _finish(printed)
            if printed:
                crew.left[seat.path, attempt] = _printed(_DONE, printed)
            raise
        finally:
            _finish(printed)
            left_behind = items is not None and items.is_abandoned and _leave_behind(seat, attempt, crew, items)
            if log is not None:
                log.close()
        if left_behind:
            outcome = replace(outcome, abandoned=True)
        if printed:
            outcome = await _with_prints(outcome, printed, items or Items(report, self._end_type, log, hiding))
        if outcome is _DONE and value is None and items is None and not self.returns:
            return _DONE
        if outcome.failure is None:
            outcome = self._passed_on(seat, crew, outcome, value, items)
        return outcome if log is None else log.noted(outcome)

    def override(self, changes: Mapping[str, Any], where: str) -> None:
        """Change what a call may take; raises UsageError."""
        timeout = changes.get("timeout", self._limits.timeout)
        idle = changes.get("idle_timeout", self._limits.idle)
        self._limits = reading.limits(where, timeout, idle, self._limits.grace)

    def _items(self, seat: Seat, attempt: int, report: Reporting, crew: StepCrew, log: StepLog | None) -> Items:
        name = f"{crew.run_id}/{seat.path}/{attempt} {self.signature.name}"
        return Items(report, self._end_type, log, crew.hiding, expected=bool(self.returns), name=name)

    # -- calling ------------------------------------------------------------------------------------------------

    def _calling(
        self, crew: StepCrew, context: Context, items: Items | None, positional: list[Any], named: dict[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        if items is None:
            made: Coroutine[Any, Any, Any] = context.run(self.function, *positional, **named)
            return made
        if self.signature.is_async_generator:
            return items.drawn(context.run(self.function, *positional, **named))
        if self.signature.is_async:
            return _settled(self.function, positional, named, items)
        return _in_thread(crew, self.function, positional, named, items)

    async def _driven(
        self,
        call: Coroutine[Any, Any, Any],
        context: Context,
        items: Items | None,
        report: Reporting,
        mask: Callable[[str], str],
    ) -> tuple[Outcome, Any]:
        """How the call came out, and what it returned."""
        waits = not self.signature.is_async  # for a thread
        drive = Drive(call, context, self._limits, lambda: report.is_ending, starts_later=waits)
        if items is not None:
            items.drive = drive
        try:
            value = await drive
        except asyncio.CancelledError:
            if drive.met is None:
                raise
        except ListenerFault as fault:
            raise fault.error from None
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and self.signature.is_async and current_thread() is main_thread():
                raise  # only here is it a Ctrl-C; in other threads nobody but the function itself can have raised it
            if drive.met is None:
                return self._raised(error, mask), None
        else:
            if drive.met is None:
                return _DONE, value
        still = "; it runs in a thread, which cannot be ended, and still runs" if items and items.is_abandoned else ""
        told = f"{self.signature.name} {drive.told()}{still}"
        return Outcome(failure=drive.met, error=told, ended_by=drive.met.value), None

    def _raised(self, error: BaseException, mask: Callable[[str], str]) -> Outcome:
        if isinstance(error, SystemExit):
            code = 0 if error.code is None else error.code
            how = f" with code {code}" if isinstance(code, int) else f": {code}"
            told = f"{self.signature.name} exited{how}"
            return Outcome(failure=Failure.EXIT_CODE, error=told, exit_code=code if isinstance(code, int) else 1)
        sentence, traceback = explained(error, mask)
        metadata = {"exception": type(error).__name__, "traceback": traceback}
        return Outcome(failure=Failure.CRASHED, error=f"{self.signature.name} raised {sentence}", metadata=metadata)

    # -- what it returned ---------------------------------------------------------------------------------------

    def _passed_on(
        self,
        seat: Seat,
        crew: StepCrew,
        outcome: Outcome,
        value: Any,  # noqa: ANN401  # whatever was returned
        items: Items | None,
    ) -> Outcome:
        try:
            returned = Returned(value) if items is None else items.returned(value)
            values = {name: apart(value) for name, value in bind(self.returns, returned).items()}
            outputs = self._outputs(seat, crew, values, returned)
        except BadReturn as error:
            return replace(outcome, failure=Failure.INVALID_OUTPUT, error=f"{self.signature.name}: {error}")
        text = None if items is None else items.text
        output = text_of(None if returned.is_end_event else returned.value) if text is None else text
        if outcome is _DONE and not output and not outputs:
            return _DONE
        facts = {one.name: values[one.name] for one in self.returns if one.kind == "metric"}
        if outcome is _DONE and not facts:
            return Outcome(output=output, outputs=outputs)
        metadata = {**outcome.metadata, "metrics": shown(facts)} if facts else outcome.metadata
        return replace(outcome, output=output or outcome.output, outputs=outputs, metadata=metadata)

    def undeclared(self, value: Any, *, durable: bool) -> dict[str, Any]:  # noqa: ANN401  # whatever was returned
        """What a step without declared returns is seen to have returned; no later step is given it."""
        if value is None or isinstance(value, str):
            return {}
        outputs: dict[str, Any] = shown(by_name(value)) if durable else apart(by_name(value))
        return outputs

    def _outputs(self, seat: Seat, crew: StepCrew, values: dict[str, Any], returned: Returned) -> dict[str, Any]:
        if not self.returns:
            return self.undeclared(returned.value, durable=crew.is_durable)
        if not crew.is_durable:
            return values
        for one in self.returns:
            if one.recompute:
                crew.live[seat.path, one.name] = values[one.name]
        return kept(self.returns, values)


def _begin(step: CurrentStep, printed: Printed) -> None:
    """Called in the context of a call, before it."""
    enter(step)
    printed_into.set(printed)


def by_name(value: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever was returned
    """A value without declared names: a dictionary has its own, everything else is the `result`.

    A dictionary of a class of its own (a counter) is more than its values, and stays whole.
    """
    return value if type(value) is dict and all(isinstance(key, str) for key in value) else {"result": value}


def cannot_call(error: OrchError) -> Outcome:
    """The outcome of an attempt whose arguments could not be found."""
    failure = Failure.INVALID_OUTPUT if isinstance(error, CannotBind) else Failure.INTERNAL
    return Outcome(failure=failure, error=f"{error.message}{f' ({error.hint})' if error.hint else ''}")


async def _settled(function: Callable[..., Any], positional: list[Any], named: dict[str, Any], items: Items) -> Any:  # noqa: ANN401  # whatever it returns
    """Call what only looks like an async function from outside, such as a partial or an object, and await it."""
    return await _awaited(function(*positional, **named), items)


async def _awaited(value: Any, items: Items) -> Any:  # noqa: ANN401  # whatever was returned
    if hasattr(value, "__await__"):
        value = await value
    if isinstance(value, AsyncIterator):
        return await items.drawn(value)
    return value


async def _in_thread(
    crew: StepCrew, function: Callable[..., Any], positional: list[Any], named: dict[str, Any], items: Items
) -> Any:  # noqa: ANN401  # whatever it returns
    handing = items.handing = HandOver()

    def call() -> Any:  # noqa: ANN401  # whatever it returns
        value = function(*positional, **named)
        return items.drawn_in_thread(value, handing) if inspect.isgenerator(value) else value

    ended = await crew.threads.start(call, items.name)
    items.thread = ended
    if items.drive is not None:
        items.drive.start()
    try:
        value, error = await asyncio.shield(ended)  # it goes on whatever we do; when it returns is of interest
    except asyncio.CancelledError:
        items.abandon()
        raise
    if error is not None:
        raise error
    return await _awaited(value, items)


def _leave_behind(seat: Seat, attempt: int, crew: StepCrew, items: Items) -> bool:
    return crew.leave_behind(seat.path, attempt, items.name, items.thread)


def _finish(printed: Printed) -> None:
    """Nothing more is printed that counts."""
    if isinstance(printed, LivePrinted):
        printed.finish()


def _as_it_is(text: str) -> str:
    return text


async def _with_prints(outcome: Outcome, printed: Printed, items: Items) -> Outcome:
    """What it printed: its output where it has no other, and in its record and log in any case."""
    await items.tell_printed(str(printed))
    return _printed(outcome, printed)


def _printed(outcome: Outcome, printed: Printed) -> Outcome:
    text = str(printed)
    facts: dict[str, Any] = {"printed": text} | ({"printed_dropped": printed.dropped} if printed.dropped else {})
    return replace(outcome, output=text, metadata={**outcome.metadata, **facts})
