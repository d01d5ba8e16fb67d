"""The work of a flow's step: the function, and what it hands on without having declared anything."""

from collections.abc import Callable
from typing import Any

from orchestration.flow.finding import Finder, is_named
from orchestration.flow.steps import FlowStep
from orchestration.steps.binding import Signature
from orchestration.steps.call import Arguments
from orchestration.steps.functions import FunctionLeaf, by_name
from orchestration.steps.returns import BadReturn
from orchestration.steps.unit import Seat
from orchestration.steps.values import NotKept, apart, as_json


class FlowLeaf(FunctionLeaf):
    """Calls the function of one step.

    Args:
        step: what is written about it.
        function: what is called.
        finder: finds its arguments.
        signature: the function's parameters.
    """

    __slots__ = ("finder",)

    passes_all_on = True

    def __init__(
        self, step: FlowStep, function: Callable[..., Any], finder: Finder, signature: Signature | None = None
    ) -> None:
        end = step.stream_end_type
        super().__init__(function, step.read_returns, end_type=end, limits=step.limits, signature=signature)
        self.finder = finder

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """Those of all functions that it may call."""
        return (self.signature,)

    def arguments(self, seat: Seat) -> Arguments:
        """The arguments of a call; raises CannotBind."""
        return self.finder.arguments(seat.box, self.signature, seat.box.crew.given_to(seat.path).secrets)

    def undeclared(self, value: Any, *, durable: bool) -> dict[str, Any]:  # noqa: ANN401  # whatever was returned
        """What it returned, under the names that it has by itself, for the steps that wait for it."""
        if value is None:
            return {}  # as of a function without any return, which most are
        outputs = by_name(value)
        if not is_named(outputs):
            outputs = {"result": value}  # an empty dictionary, and one that has just this key, stay what they are
        if not durable:
            return apart(outputs)  # type: ignore[no-any-return]  # a dictionary
        try:
            return as_json(outputs)  # type: ignore[no-any-return]  # likewise
        except NotKept as error:
            told = f"what it returned is not JSON ({error}); declare it: returns=[Return(name, 'object', …)]"
            raise BadReturn(told) from error
