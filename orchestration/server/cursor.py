"""How far a reader of a run is, as a text that travels as the id of a server-sent event and comes back. Pure.

    17                              every event up to number 17, and nothing that running attempts printed since
    17;12=3.340.0.0;15=1.0.0.96     and of the attempt that began with event 12 three chunks: 340 bytes of its stdout;
                                    of the one that began with event 15 one chunk: 96 bytes of its items

Attempts that have ended need no place: their chunks were told before their end was. So the text is as long as the
number of attempts that run at once, and knows nothing that could be forged: it names no file.
"""

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Final, Self

from orchestration.errors import UsageError
from orchestration.records import dataclass

MAX_LENGTH: Final = 200_000
"""Characters of a cursor: enough for thousands of attempts at once, and no work for a machine."""

_NUMBER: Final = "[0-9]{1,18}"
_PLACE: Final = re.compile(rf"({_NUMBER})=({_NUMBER})\.({_NUMBER})\.({_NUMBER})\.({_NUMBER})")


@dataclass(frozen=True, slots=True)
class Place:
    """How far an attempt was read: `n` chunks, which were so many bytes of each of its logs."""

    n: int = 0
    stdout: int = 0
    stderr: int = 0
    items: int = 0


_START: Final = Place()


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a run was read: events up to `seq`, and each running attempt, by the event with which it began."""

    seq: int = 0
    places: Mapping[int, Place] = field(default_factory=dict)

    def __str__(self) -> str:
        """The text."""
        told = (
            f"{began}={place.n}.{place.stdout}.{place.stderr}.{place.items}"
            for began, place in self.places.items()
            if place != _START
        )
        return ";".join([str(self.seq), *told])

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor from its text.

        Raises:
            UsageError: it is none.
        """
        seq, *places = text.strip().split(";") if len(text) <= MAX_LENGTH else [""]
        found = [_PLACE.fullmatch(place) for place in places]
        if re.fullmatch(_NUMBER, seq) is None or None in found:
            raise UsageError(
                f"{text[:80]!r} is no place in a run's events", hint="give the id of the last event, or its seq"
            )
        numbers = [tuple(map(int, match.groups())) for match in found if match is not None]
        return cls(int(seq), {began: Place(n, *bytes_read) for began, n, *bytes_read in numbers})
