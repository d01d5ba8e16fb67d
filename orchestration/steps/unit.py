"""A step as the engine sees it, and the parts that a composite step becomes. Records; what they do is elsewhere."""

from collections.abc import Awaitable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from orchestration.kinds import OnCrash, RunWhen
from orchestration.models import RetryPolicy
from orchestration.protocols import Drop, Reporting
from orchestration.records import dataclass
from orchestration.results import Outcome
from orchestration.steps.returns import Return, Serializer

if TYPE_CHECKING:
    from orchestration.steps.around import Around
    from orchestration.steps.box import Box
    from orchestration.steps.crew import StepCrew


@dataclass(frozen=True, slots=True)
class Seat:
    """A unit at its place in a run; `box` is the composite that it is a part of."""

    path: str
    unit: "Unit"
    box: "Box"


class Leaf(Protocol):
    """Work that a unit does itself."""

    @property
    def kind(self) -> str:
        """How it is done, in one word."""
        ...

    @property
    def returns(self) -> tuple[Return, ...]:
        """The names under which it passes values on."""
        ...

    def perform(
        self, seat: Seat, attempt: int, slot: int, report: Reporting, crew: "StepCrew"
    ) -> Outcome | Awaitable[Outcome]:
        """One attempt; a failure is an outcome. Cancelled: ends what it started.

        What came of it may be there at once; else it is to be awaited.
        """
        ...


async def outcome_of(made: Outcome | Awaitable[Outcome]) -> Outcome:
    """What came of an attempt, once that is there."""
    return made if isinstance(made, Outcome) else await made


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a composite becomes: which of its units, under which name, and after which other parts.

    `index` is there for items of a map and rounds of a loop; `place` is where it stands among its siblings, where they
    do not come in the order in which they are written.
    """

    unit: str
    name: str
    needs: tuple[str, ...] = ()
    index: int | None = None
    place: int = 0


Turn: TypeAlias = tuple[Part, ...] | Outcome
"""What becomes of a composite: more parts, or its end."""


class Composite(Protocol):
    """Work that is done by other units.

    `shares` says whether later parts see what earlier ones returned.
    """

    @property
    def kind(self) -> str:
        """What it is, in one word."""
        ...

    @property
    def shares(self) -> bool:
        """See above."""
        ...

    @property
    def units(self) -> Mapping[str, "Unit"]:
        """The units that its parts are made of, by name."""
        ...

    def first(self, box: "Box") -> Turn:
        """What it becomes when it starts; an outcome where there is nothing to do, or it cannot be done."""
        ...

    def next(self, box: "Box") -> Turn | Drop | None:
        """What follows now that all of its parts have ended; None for nothing yet.

        Where it `ends_early`, it is asked when one has failed too, and when the run goes on after a crash.
        """
        ...

    def given(self, box: "Box", part: Part) -> Mapping[str, Any]:
        """The values that one part sees beside those of its surroundings."""
        ...


@dataclass(frozen=True, slots=True)
class Unit:
    """One step.

    Attributes:
        name: its name among its siblings.
        work: what it does, itself or by others.
        needs: the names of the siblings that it waits for.
        run_when: what their ends mean for it.
        condition: whether it runs at all, decided when it could start.
        excused: whether its failure is somebody else's to handle.
        skips_when_failed: whether it counts as skipped when it has failed for good.
        at_once: how many of its parts may go on at once, None for no limit.
        binds: the names that it passes on, as far as they can be known.
        serializers: how values of some of these names are kept.
        around: what a task is given, and what is taken from it, beside its values.
    """

    name: str
    work: Leaf | Composite
    needs: tuple[str, ...] = ()
    retry: RetryPolicy | None = None
    run_when: RunWhen = RunWhen.ALL_SUCCEEDED
    condition: "Condition | None" = None
    excused: bool = False
    skips_when_failed: bool = False
    on_crash: OnCrash = OnCrash.RERUN
    at_once: int | None = None
    binds: tuple[str, ...] = ()
    serializers: Mapping[str, Serializer] = field(default_factory=dict)
    around: "Around | None" = None

    @property
    def ends_early(self) -> bool:
        """Whether it is a composite that ends its other parts when one has failed."""
        return bool(getattr(self.work, "fail_fast", False))

    @property
    def is_composite(self) -> bool:
        """Whether it is done by other units."""
        return hasattr(self.work, "units")

    @property
    def doer(self) -> str:
        """Who does it: the agent that is named, else the kind of its work."""
        return getattr(self.work, "doer", None) or self.work.kind

    @property
    def composite(self) -> Composite:
        """Its work, asked for only where it is a composite."""
        return cast("Composite", self.work)


class Condition(Protocol):
    """Decides whether a unit runs."""

    def __call__(self, seat: Seat) -> bool:
        """The value; raises TemplateError when there is none."""
        ...
