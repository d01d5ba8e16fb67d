"""Masks a stream of bytes that comes in chunks, however a secret is spread over them.

Held back is only what could be the beginning of a secret, so that live output stays live; everything before it can be
decided, because no secret can begin there any more. The result does not depend on where chunks end. At the end of the
stream, what was held back is no secret and is given out, unless it is most of one: a process that was killed in the
middle of printing a key must not leave nine tenths of it in a log.
"""

from typing import Final

from orchestration.masking.finding import begun_at, joined, occurrences

MASK_BYTES: Final = b"***"

MOST: Final = 0.75
"""The part of a secret from which on its beginning, at the very end of a stream, is masked."""

SHORTEST_BEGINNING: Final = 8
"""Bytes of the shortest such beginning: shorter ones are words."""


class StreamMasker:
    """One stream on its way through a mask.

    Args:
        needles: what is masked; without any, the stream passes as it is.
    """

    __slots__ = ("_held", "_needles", "_under_mask")

    def __init__(self, needles: tuple[bytes, ...]) -> None:
        """Nothing was fed yet."""
        self._needles = needles
        self._held = b""
        self._under_mask: int | None = None  # of what is held, so many bytes are under the mask that was given out last

    def feed(self, data: bytes) -> bytes:
        """Take a chunk; returns what can be given out by now, which may be nothing."""
        if not self._needles:
            return data
        data = self._held + data
        return self._give_out(data, begun_at(data, self._needles), ())

    def flush(self) -> bytes:
        """The rest, at the end of the stream; the next stream may be fed afterwards."""
        data = self._held
        broken_off = [
            (at, len(data))
            for needle in self._needles
            if (at := begun_at(data, (needle,))) < len(data)
            and len(data) - at >= max(SHORTEST_BEGINNING, MOST * len(needle))
        ]
        rest = self._give_out(data, len(data), broken_off)
        self._under_mask = None
        return rest

    def _give_out(self, data: bytes, end: int, more: "tuple[()] | list[tuple[int, int]]") -> bytes:
        """Decide everything before `end` and hold the rest."""
        spans = [*occurrences(data, self._needles), *more]
        if self._under_mask is not None:
            spans.append((0, self._under_mask))
        parts: list[bytes] = []
        position = 0
        for start, stop in joined(spans):
            if start >= end:
                break
            if start > 0 or self._under_mask is None:
                parts += (data[position:start], MASK_BYTES)
            position = stop
        parts.append(data[position:end])
        if end > 0:
            self._under_mask = position - end if position >= end else None
        self._held = data[end:]
        return b"".join(parts)
