"""Steps that call a function in this process: async functions in the slot's own task, plain ones in threads.

How a call goes is told in `call`; here is what is called, with which arguments, and what its returns mean. Edges
survived: returns that are missing, or more, or no JSON where they have to be.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import CoroutineType
from typing import Any

from orchestration.calls import Limits
from orchestration.errors import OrchError
from orchestration.kinds import Failure
from orchestration.protocols import Reporting
from orchestration.results import Outcome
from orchestration.shown import shown
from orchestration.steps import reading
from orchestration.steps.binding import CannotBind, Signature
from orchestration.steps.call import DONE, NO_ARGUMENTS, Arguments, begin
from orchestration.steps.crew import StepCrew
from orchestration.steps.hiding import bound
from orchestration.steps.items import Items
from orchestration.steps.returns import BadReturn, Return, Returned, bind, kept
from orchestration.steps.unit import Seat
from orchestration.steps.values import apart, text_of


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
        "end_type",
        "function",
        "limits",
        "returns",
        "signature",
    )

    kind = "python"
    passes_all_on = False
    """Whether what it returns is given to later steps although nothing is declared."""

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
        self.end_type = end_type
        self.limits = limits

    @property
    def is_in_thread(self) -> bool:
        """Whether a call takes a thread."""
        return not self.signature.is_async

    def arguments(self, seat: Seat) -> Arguments:
        """The arguments of a call; raises CannotBind."""
        secrets = seat.box.crew.given_to(seat.path).secrets
        find, known = seat.box.find, seat.box.known
        return bound(self.signature, secrets, find, known) if secrets else self.signature.bind(find, known)

    def perform(
        self, seat: Seat, attempt: int, slot: int, report: Reporting, crew: StepCrew
    ) -> Outcome | Awaitable[Outcome]:
        """Call it once."""
        del slot
        try:
            arguments = NO_ARGUMENTS if self.signature.takes_nothing else self.arguments(seat)
        except OrchError as error:
            return cannot_call(error)
        return begin(self, seat, attempt, report, crew, arguments)

    def override(self, changes: Mapping[str, Any], where: str) -> None:
        """Change what a call may take; raises UsageError."""
        timeout = changes.get("timeout", self.limits.timeout)
        idle = changes.get("idle_timeout", self.limits.idle)
        self.limits = reading.limits(where, timeout, idle, self.limits.grace)

    # -- what it returned ---------------------------------------------------------------------------------------

    def passed_on(
        self,
        seat: Seat,
        crew: StepCrew,
        outcome: Outcome,
        value: Any,  # noqa: ANN401  # whatever was returned
        items: Items | None,
    ) -> Outcome:
        """The outcome of a call that went well, with what it returned, or with what is wrong with that."""
        if type(value) is CoroutineType:
            return replace(
                outcome, failure=Failure.INVALID_OUTPUT, error=f"{self.signature.name}: {not_awaited(value)}"
            )
        try:
            returned = Returned(value) if items is None else items.returned(value)
            values = {name: apart(value) for name, value in bind(self.returns, returned).items()}
            outputs = self._outputs(seat, crew, values, returned)
        except BadReturn as error:
            return replace(outcome, failure=Failure.INVALID_OUTPUT, error=f"{self.signature.name}: {error}")
        text = None if items is None else items.text
        output = text_of(None if returned.is_end_event else returned.value) if text is None else text
        if outcome is DONE and not output and not outputs:
            return DONE
        metrics = {one.name: values[one.name] for one in self.returns if one.kind == "metric"}
        dropped = 0 if items is None else items.dropped
        if outcome is DONE and not metrics and not dropped:
            return Outcome(output=output, outputs=outputs)
        facts: dict[str, Any] = {"metrics": shown(metrics)} if metrics else {}
        facts |= {"output_truncated_characters": dropped} if dropped else {}
        metadata = {**outcome.metadata, **facts} if facts else outcome.metadata
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


def by_name(value: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever was returned
    """A value without declared names: a dictionary has its own, everything else is the `result`.

    A dictionary of a class of its own (a counter) is more than its values, and stays whole.
    """
    return value if type(value) is dict and all(isinstance(key, str) for key in value) else {"result": value}


def not_awaited(coroutine: "CoroutineType[Any, Any, Any]") -> str:
    """What to say of an async function that returns another one's coroutine: nothing of that has been done."""
    coroutine.close()  # or Python would warn of it, at some time
    return f"it returned the coroutine {coroutine.__qualname__}, which nobody awaits; write `return await …`"


def cannot_call(error: OrchError) -> Outcome:
    """The outcome of an attempt whose arguments could not be found."""
    failure = Failure.INVALID_OUTPUT if isinstance(error, CannotBind) else Failure.INTERNAL
    return Outcome(failure=failure, error=f"{error.message}{f' ({error.hint})' if error.hint else ''}")
