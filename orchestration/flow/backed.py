"""The work of a flow's step that need not be done, or not by its function: what is known of it, and who stands in."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from orchestration.errors import OrchError
from orchestration.flow.finding import Finder
from orchestration.flow.leaf import FlowLeaf
from orchestration.flow.steps import FlowStep
from orchestration.kinds import Failure
from orchestration.protocols import Reporting
from orchestration.results import Outcome
from orchestration.retry import why_not
from orchestration.steps.binding import Signature
from orchestration.steps.caching import Cache, Row, files_of
from orchestration.steps.call import Arguments, begin
from orchestration.steps.crew import StepCrew
from orchestration.steps.functions import cannot_call
from orchestration.steps.keys import key_of
from orchestration.steps.unit import Seat, outcome_of
from orchestration.steps.values import apart

_NOT_MENDED: Final = frozenset({Failure.CANCELLED, Failure.INTERRUPTED})


class BackedLeaf(FlowLeaf):
    """Calls the function of one step, unless it is known what would come of it, or another one has to stand in.

    Args:
        fallback: is called when it has failed for good.
        cache: what is known already; None where nothing is to be remembered.
        directory: where the files are that it makes.
    """

    __slots__ = ("_cache", "_directory", "_stand_in", "_step")

    def __init__(
        self,
        step: FlowStep,
        function: Callable[..., Any],
        finder: Finder,
        signature: Signature | None = None,
        *,
        fallback: Callable[..., Any] | None,
        cache: Cache | None,
        directory: Path,
    ) -> None:
        super().__init__(step, function, finder, signature)
        self._step = step
        self._cache = cache
        self._directory = directory
        self._stand_in = None if fallback is None else FlowLeaf(step, fallback, finder)

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """Those of the function and of its fallback."""
        return (self.signature,) if self._stand_in is None else (self.signature, self._stand_in.signature)

    def perform(
        self, seat: Seat, attempt: int, slot: int, report: Reporting, crew: StepCrew
    ) -> Outcome | Awaitable[Outcome]:
        """Call it once, unless it is known what would come of it; where it fails for good, the fallback."""
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
        stand_in: FlowLeaf,
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
