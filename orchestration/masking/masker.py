"""The secrets of an attempt, and everything in which they are masked."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final, TypeVar

from orchestration.masking.finding import covered
from orchestration.masking.spellings import encoded, spellings
from orchestration.masking.stream import MASK_BYTES, StreamMasker

MASK: Final = MASK_BYTES.decode()
"""What stands in place of a secret."""

DEEPEST: Final = 200
"""Levels of a value; what lies deeper is masked whole. JSON that people or agents write has a dozen."""

LONGEST_NUMBER: Final = 4096
"""Bits of a number that is looked at; Python refuses to write much longer ones, and no secret is one."""

T = TypeVar("T")


class Masker:
    """Replaces secrets by `***`. Without any secret it is false, and returns everything as it is.

    Args:
        secrets: values by name, or values alone.

    Attributes:
        ignored: names (or numbers, from 1) of secrets that are not masked, because they are shorter than `SHORTEST`
            characters; whoever makes the masker warns of them.
    """

    __slots__ = ("_bytes", "_count", "_texts", "ignored")

    def __init__(self, secrets: Mapping[str, str] | Iterable[str] = ()) -> None:
        """Work out all spellings, once."""
        named = secrets if isinstance(secrets, Mapping) else {str(n): text for n, text in enumerate(secrets, start=1)}
        found = {name: spellings(secret) for name, secret in named.items()}
        self.ignored = tuple(name for name, known in found.items() if not known)
        self._count = len(found) - len(self.ignored)
        self._texts = tuple(sorted(frozenset[str]().union(*found.values())))
        self._bytes = tuple(encoded(text) for text in self._texts)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __repr__(self) -> str:
        return f"<Masker of {self._count} secrets>"

    def text(self, text: str) -> str:
        """The text with its secrets masked."""
        return covered(text, self._texts, MASK)

    def data(self, data: bytes) -> bytes:
        """The bytes with their secrets masked."""
        return covered(data, self._bytes, MASK_BYTES)

    def stream(self) -> StreamMasker:
        """A mask for one stream of bytes that comes in chunks."""
        return StreamMasker(self._bytes)

    def value(self, value: Any) -> Any:  # noqa: ANN401  # any value; the same kind comes back
        """The value with all texts in it masked: in lists, in mappings (keys too) and in dataclasses.

        Words of closed sets stay; a number that spells a secret becomes `***`, and is a text then. Of keys that are the
        same when masked, the last one stays.
        """
        return self._masked(value, 0) if self._texts else value

    def record(self, record: T) -> T:
        """A dataclass, such as an outcome, with everything in it masked."""
        masked: T = self.value(record)
        return masked

    def _masked(self, value: Any, depth: int) -> Any:  # noqa: ANN401  # as for `value`
        if value is None or isinstance(value, Enum | bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.data(value)
        if isinstance(value, float) or (isinstance(value, int) and value.bit_length() <= LONGEST_NUMBER):
            return value if self.text(written := repr(value)) == written else MASK
        return MASK if depth >= DEEPEST else self._inside(value, depth + 1)

    def _inside(self, value: Any, depth: int) -> Any:  # noqa: ANN401  # as for `value`
        if isinstance(value, Mapping):
            return {self._masked(key, depth): self._masked(item, depth) for key, item in value.items()}
        if isinstance(value, list):
            return [self._masked(item, depth) for item in value]
        if isinstance(value, tuple):
            return tuple(self._masked(item, depth) for item in value)
        if is_dataclass(value) and not isinstance(value, type):
            changes = {field.name: self._masked(getattr(value, field.name), depth) for field in fields(value)}
            return replace(value, **changes)
        return value
