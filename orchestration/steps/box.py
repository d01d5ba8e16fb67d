"""A composite in a run: its parts, and the values that are known inside of it.

A name is looked for among what earlier parts returned (where parts share), then among the box's own values (the item of
a map, the round of a loop), then in the box around it, and last among the run's parameters. Nothing is copied to find
it, and everything that is found is handed out as a copy. All of it follows from recorded ends, so a replayed run knows
the same.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orchestration.kinds import ExecutionStatus
from orchestration.steps.binding import MISSING
from orchestration.steps.unit import Part, Seat, Unit
from orchestration.steps.values import apart

if TYPE_CHECKING:
    from orchestration.steps.crew import StepCrew


class Box:
    """One composite, and how far it is.

    Args:
        path: where it stands; empty for the outermost one.
        unit: what it is.
        crew: knows what came of the parts.
        parent: the box around it; none for the outermost one.
        part: which part of that it is.
        given: values of its own, where nobody is around it.

    Attributes:
        seats: its parts so far.
        returned: what its composite keeps here of what they returned.
        limits: what its parts use, by their kind, where the crew has found that out.
        is_fatal: whether the failure of a part is one of all that is around it, for nothing there goes on without it.
    """

    __slots__ = (
        "_absorbed",
        "_given",
        "_part",
        "_providers",
        "_shares",
        "crew",
        "is_fatal",
        "limits",
        "parent",
        "path",
        "returned",
        "seats",
        "unit",
    )

    def __init__(
        self,
        path: str,
        unit: Unit,
        crew: "StepCrew",
        parent: "Box | None" = None,
        part: Part | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        """Without parts yet."""
        self.path = path
        self.unit = unit
        self.crew = crew
        self.parent = parent
        self.seats: list[Seat] = []
        self.returned: Any = None
        self.limits: dict[int, tuple[str, ...]] = {}
        goes_on = unit.skips_when_failed or unit.excused or not (parent is None or parent.is_fatal)
        self.is_fatal: bool = unit.ends_early and not goes_on
        self._part = part
        self._given = given
        self._shares = bool(getattr(unit.work, "shares", False))
        self._providers: dict[str, Seat] = {}
        self._absorbed = 0

    def path_of(self, part: Part) -> str:
        """Where a part stands: `m[3]` for items and rounds, `m/name` for all others."""
        if part.index is not None:
            return f"{self.path}[{part.index}]"
        return f"{self.path}/{part.name}" if self.path else part.name

    def path_of_need(self, name: str) -> str:
        """Where the part of this name stands, which another part waits for."""
        return f"{self.path}/{name}" if self.path else name

    def seat(self, name: str) -> Seat | None:
        """The part of this name that came in last."""
        return next((seat for seat in reversed(self.seats) if seat.unit.name == name), None)

    # -- values -------------------------------------------------------------------------------------------------

    @property
    def given(self) -> Mapping[str, Any]:
        """The values of its own; looked for when they are first needed, which after a replay they may never be."""
        if self._given is None:
            self._given = {}
            if self.parent is not None and self._part is not None:
                self._given = self.parent.unit.composite.given(self.parent, self._part)
        return self._given

    def find(self, name: str) -> Any:  # noqa: ANN401  # any value
        """The value of a name, or MISSING."""
        box: Box | None = self
        while box is not None:
            if box._shares:  # noqa: SLF001  # a box
                box._absorb()  # noqa: SLF001  # likewise
                provider = box._providers.get(name)  # noqa: SLF001  # likewise
                if provider is not None:
                    return self.crew.value_of(provider, name)
            given = box.given
            if name in given:
                return apart(given[name])
            box = box.parent
        return MISSING

    def known(self) -> dict[str, Any]:
        """All values by name."""
        around = self.parent.known() if self.parent is not None else {}
        found = {**around, **{name: apart(value) for name, value in self.given.items()}}
        if self._shares:
            self._absorb()
            found.update((name, self.crew.value_of(seat, name)) for name, seat in self._providers.items())
        return found

    def bound(self) -> dict[str, Any]:
        """The values that the parts have passed on, as they are recorded; later ones over earlier ones."""
        self._absorb()
        stored = ((name, self.crew.outputs_of(seat)) for name, seat in self._providers.items())
        return {name: outputs[name] for name, outputs in stored if name in outputs}

    def _absorb(self) -> None:
        """Take note of the parts that have ended, in order."""
        seats, ended = self.seats, self.crew.ended
        while self._absorbed < len(seats) and ended(seats[self._absorbed].path):
            seat = seats[self._absorbed]
            self._absorbed += 1
            for name in self.crew.names_of(seat):
                self._providers[name] = seat

    # -- ends ---------------------------------------------------------------------------------------------------

    def ends(self) -> Iterator[tuple[Seat, ExecutionStatus]]:
        """How each part has ended, or how far it is."""
        return ((seat, self.crew.status_of(seat.path)) for seat in self.seats)
