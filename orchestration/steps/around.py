"""What stands around one task: secrets are looked up and files brought before it, files kept and secrets hidden after.

The task itself knows nothing of it, whatever does it: a function, a command, an agent, a notebook.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import OrchError, UsageError
from orchestration.protocols import Reporting
from orchestration.records import dataclass
from orchestration.results import Outcome
from orchestration.steps.catalog import Carrying, read_catalog
from orchestration.steps.hiding import missing
from orchestration.steps.unit import Leaf, Seat, outcome_of

if TYPE_CHECKING:
    from orchestration.steps.crew import StepCrew


@dataclass(frozen=True, slots=True)
class Around:
    """What a task is given, and what is taken from it, beside its values."""

    secrets: tuple[str, ...] = ()
    carrying: Carrying | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What one attempt was given."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


NOTHING: Final = Given()
_PLAIN: Final = Around()
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")


def read_around(secrets: object, catalog: object, where: str) -> Around | None:
    """What is written around a task; None for nothing.

    Raises:
        UsageError: something of it is not possible.
    """
    if isinstance(secrets, str) or not isinstance(secrets, Sequence):
        raise UsageError(f"{where}: secrets is a list of names, not {secrets!r:.80}", hint='secrets=["API_TOKEN"]')
    for name in secrets:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UsageError(f"{where}: {name!r:.80} cannot be the name of a secret", hint="such as API_TOKEN")
    carrying = read_catalog(catalog, where)
    return Around(tuple(dict.fromkeys(secrets)), carrying) if secrets or carrying is not None else None


async def perform(leaf: Leaf, seat: Seat, attempt: int, slot: int, report: Reporting, crew: "StepCrew") -> Outcome:
    """One attempt of a task, with all that stands around it."""
    around, hiding = seat.unit.around or _PLAIN, crew.hiding
    if hiding is None:
        return await _carried(around.carrying, leaf, seat, attempt, slot, report, crew)
    try:
        secrets = await hiding.look_up(around.secrets)
    except OrchError as error:
        return missing(error)
    crew.given[seat.path] = Given(secrets)
    try:
        outcome = await _carried(around.carrying, leaf, seat, attempt, slot, hiding.reporting(report), crew)
    finally:
        del crew.given[seat.path]
    return hiding.outcome(outcome, leaf.returns, hiding.short(around.secrets))


async def _carried(
    carrying: Carrying | None, leaf: Leaf, seat: Seat, attempt: int, slot: int, report: Reporting, crew: "StepCrew"
) -> Outcome:
    if carrying is None:
        return await outcome_of(leaf.perform(seat, attempt, slot, report, crew))
    got: dict[str, Any] = {}
    if carrying.get:
        got, cannot = await crew.catalog.get(carrying.get, crew.home.directory)
        if cannot is not None:
            return cannot
    outcome = await outcome_of(leaf.perform(seat, attempt, slot, report, crew))
    if got:
        outcome = replace(outcome, metadata={**outcome.metadata, "catalog": {"got": got}})
    if carrying.put and not outcome.needs_input:
        outcome = await crew.catalog.put(carrying.put, crew.home.directory, seat.path, outcome)
    return outcome
