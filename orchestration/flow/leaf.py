"""The work of a flow's step: the function, what is remembered of it, and who stands in when it has failed for good."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from orchestration.errors import OrchError
from orchestration.flow.finding import Finder, is_named
from orchestration.flow.steps import FlowStep
from orchestration.kinds import Failure
from orchestration.protocols import Reporting
from orchestration.results import Outcome
from orchestration.retry import why_not
from orchestration.steps.binding import Signature
from orchestration.steps.caching import Cache, Row, files_of
from orchestration.steps.call import Arguments, begin
from orchestration.steps.crew import StepCrew
from orchestration.steps.functions import FunctionLeaf, by_name, cannot_call
from orchestration.steps.keys import key_of
from orchestration.steps.returns import BadReturn
from orchestration.steps.unit import Seat, outcome_of
from orchestration.steps.values import NotKept, apart, as_json

_NOT_MENDED: Final = frozenset({Failure.CANCELLED, Failure.INTERRUPTED})


class FlowLeaf(FunctionLeaf):
    """Calls the function of one step.

    Args:
        step: what is written about it.
        function: what is called.
        finder: finds its arguments.
        fallback: is called when it has failed for good.
        cache: what is known already; None where nothing is to be remembered.
        directory: where the files are that it makes.
        signature: the function's parameters.
    """

    __slots__ = ("_cache", "_directory", "_stand_in", "_step", "finder")

    passes_all_on = True

    def __init__(
        self,
        step: FlowStep,
        function: Callable[..., Any],
        finder: Finder,
        *,
        fallback: Callable[..., Any] | None = None,
        cache: Cache | None = None,
        directory: Path,
        signature: Signature | None = None,
    ) -> None:
        end = step.stream_end_type
        super().__init__(function, step.read_returns, end_type=end, limits=step.limits, signature=signature)
        self.finder = finder
        self._step = step
        self._cache = cache
        self._directory = directory
        self._stand_in = None if fallback is None else FlowLeaf(_plain(step), fallback, finder, directory=directory)

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """Those of the function and of its fallback."""
        return (self.signature,) if self._stand_in is None else (self.signature, self._stand_in.signature)

    def arguments(self, seat: Seat) -> Arguments:
        """The arguments of a call; raises CannotBind."""
        return self.finder.arguments(seat.box, self.signature, seat.box.crew.given_to(seat.path).secrets)

    def perform(
        self, seat: Seat, attempt: int, slot: int, report: Reporting, crew: StepCrew
    ) -> Outcome | Awaitable[Outcome]:
        """Call it once, unless it is known what would come of it; where it fails for good, the fallback."""
        if self._cache is None and self._stand_in is None:
            return FunctionLeaf.perform(self, seat, attempt, slot, report, crew)  # by its name: super() costs more
        return self._performed(seat, attempt, slot, report, crew)

    async def _performed(self, seat: Seat, attempt: int, slot: int, report: Reporting, crew: StepCrew) -> Outcome:
        try:
            arguments = self.arguments(seat)
        except OrchError as error:
            return cannot_call(error)
        key = None if self._cache is None else key_of(self.function, *arguments, *self._said(durable=crew.is_durable))
        if key is None or self._cache is None:
            outcome = await outcome_of(begin(self, seat, attempt, report, crew, arguments))
        else:
            outcome = await self._remembered(self._cache, key, arguments, seat, attempt, report, crew)
        if outcome.failure is None or self._stand_in is None or report.is_ending:
            return outcome
        if not self._is_final(seat, outcome.failure, crew):
            return outcome
        return await self._mended(self._stand_in, outcome, seat, attempt, slot, report, crew)

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

    # -- what is known already ----------------------------------------------------------------------------------

    def _said(self, *, durable: bool) -> tuple[object, ...]:
        """What makes the same call another one: a row is of no use for whoever calls the values otherwise."""
        step = self._step
        returned = tuple((one.name, one.kind) for one in step.read_returns)
        return step.version, step.stream_end_type, tuple(step.files), returned, durable

    async def _remembered(
        self,
        cache: Cache,
        key: str,
        arguments: Arguments,
        seat: Seat,
        attempt: int,
        report: Reporting,
        crew: StepCrew,
    ) -> Outcome:
        async with cache.alone(key):
            row = (
                await asyncio.to_thread(cache.row, key, self._directory) if self._step.files else cache.row(key, Path())
            )
            if row is not None:
                return self._known(row)
            outcome = await outcome_of(begin(self, seat, attempt, report, crew, arguments))
            if outcome.failure is None:
                files = await asyncio.to_thread(files_of, self._directory, self._step.files) if self._step.files else {}
                cache.keep(key, Row(dict(outcome.outputs), outcome.output, files))
            return outcome

    def _known(self, row: Row) -> Outcome:
        metrics = {one.name: row.outputs[one.name] for one in self.returns if one.kind == "metric"}
        facts = {"cached": True} | ({"metrics": metrics} if metrics else {})
        return Outcome(output=row.output, outputs=apart(dict(row.outputs)), metadata=facts)

    # -- standing in --------------------------------------------------------------------------------------------

    def _is_final(self, seat: Seat, failure: Failure, crew: StepCrew) -> bool:
        """Whether no other attempt follows."""
        if failure in _NOT_MENDED:
            return False
        tries = 1 + sum(
            one.outcome.failure is not None and one.outcome.failure not in _NOT_MENDED
            for one in crew.ledger.attempts_of(seat.path)
            if one.completed_at is not None
        )
        return bool(why_not(self._step.read_retry, tries, failure))

    async def _mended(
        self,
        stand_in: "FlowLeaf",
        failed: Outcome,
        seat: Seat,
        attempt: int,
        slot: int,
        report: Reporting,
        crew: StepCrew,
    ) -> Outcome:
        outcome = await outcome_of(stand_in.perform(seat, attempt, slot, report, crew))
        if failed.abandoned:
            outcome = replace(outcome, abandoned=True)
        facts = {"fallback_for": failed.failure.value if failed.failure else None, "fallback_error": failed.error}
        if outcome.failure is None:
            return replace(outcome, metadata={**outcome.metadata, **facts})
        told = f"{failed.error}; then its fallback: {outcome.error}"
        return replace(failed, error=told, abandoned=outcome.abandoned)


def _plain(step: FlowStep) -> FlowStep:
    """The step as its fallback does it: nothing is remembered, nobody else stands in."""
    return replace(step, cache=False, fallback=None, files=())
