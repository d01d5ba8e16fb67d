"""Where needles stand in a text or in bytes, and what is left when they are covered.

What is covered is the union of all occurrences of all needles, also of those that overlap, contain or touch each other:
it does not depend on an order, and no occurrence keeps a single character. Each needle is looked for by the search of
the language, so the time is that of reading the data once for each needle, whatever is found. (A needle of many
thousand characters that repeats itself, such as a megabyte of zeros, would be slower: no secret is one.)
"""

from collections.abc import Iterable, Sequence
from typing import AnyStr

Span = tuple[int, int]


def occurrences(data: AnyStr, needles: Iterable[AnyStr]) -> list[Span]:
    """From where to where the needles stand in the data, in no order; of one needle, what overlaps is one span."""
    found: list[Span] = []
    for needle in needles:
        at = data.find(needle)
        while at >= 0:
            start, end = at, at + len(needle)
            while 0 <= (at := data.find(needle, at + 1)) <= end:
                end = at + len(needle)
            found.append((start, end))
    return found


def joined(spans: Iterable[Span]) -> list[Span]:
    """The union of spans, in order; those that touch become one."""
    union: list[Span] = []
    for start, end in sorted(spans):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        else:
            union.append((start, end))
    return union


def covered(data: AnyStr, needles: Sequence[AnyStr], mask: AnyStr) -> AnyStr:
    """The data with a mask in place of each span of needles."""
    spans = occurrences(data, needles)
    if not spans:
        return data
    parts: list[AnyStr] = []
    position = 0
    for start, end in joined(spans):
        parts += (data[position:start], mask)
        position = end
    parts.append(data[position:])
    return data[:0].join(parts)


def begun_at(data: bytes, needles: Iterable[bytes]) -> int:
    """The earliest place from which on the rest of the data could be the beginning of a needle; else its end."""
    earliest = len(data)
    for needle in needles:
        at = max(0, len(data) - len(needle) + 1)
        while (at := data.find(needle[:1], at, earliest)) >= 0:
            if needle.startswith(data[at:]):
                earliest = at
                break
            at += 1
    return earliest
