"""The mapping that many records have in common: the empty one. A run has very many records, and most have no other."""

from typing import Any, Final, NoReturn


class _Nothing(dict[str, Any]):
    """An empty mapping that stays empty; a copy of it, by whatever way, is a mapping like any other."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this record has nothing here, and is frozen")

    __setitem__ = setdefault = update = _refuse

    def __ior__(self, other: Any) -> dict[str, Any]:  # type: ignore[override, misc]  # noqa: ANN401  # as of a frozenset
        return dict(other)

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[()]]:
        return dict, ()


_NOTHING: Final = _Nothing()


def nothing() -> dict[str, Any]:
    """What a record has where it could have a mapping and has none: one for all, because a run has very many."""
    return _NOTHING
