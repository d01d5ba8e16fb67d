"""Named limits: how many tasks may run at once of an agent, or with a pool.

Several plans may share one `Limits` (several runs of one process), so that two runs together never use more than one
run alone could. A plan takes when it hands a task out and gives back when the task stops running; whoever gives back
what was in full use tells the others, because one of their tasks may have waited for just that.
"""

from collections.abc import Callable, Mapping, Sequence


class Limits:
    """Who may use how much, and how much is in use now."""

    __slots__ = ("_caps", "_listeners", "_used")

    def __init__(self, caps: Mapping[str, int] | None = None) -> None:
        """Set each name's limit; a name without one is not limited."""
        self._caps: dict[str, int] = dict(caps or {})
        self._used: dict[str, int] = {}
        self._listeners: list[Callable[[], None]] = []

    def is_limited(self, name: str) -> bool:
        """Whether the name has a limit at all."""
        return name in self._caps

    def in_use(self, name: str) -> int:
        """How many use the name now."""
        return self._used.get(name, 0)

    def full(self, names: Sequence[str]) -> str | None:
        """The first of the names that has nothing left, None when all have."""
        for name in names:
            cap = self._caps.get(name)
            if cap is not None and self._used.get(name, 0) >= cap:
                return name
        return None

    def take(self, names: Sequence[str]) -> None:
        """Use one of each, room or not: what happened, happened; `full` is asked before something is begun."""
        for name in names:
            self._used[name] = self._used.get(name, 0) + 1

    def give(self, names: Sequence[str]) -> None:
        """Give one of each back."""
        if not names:
            return
        was_full = self.full(names) is not None
        for name in names:
            self._used[name] -= 1
        if was_full:
            for told in tuple(self._listeners):
                told()

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        """Have `told()` called when something that was in full use was given back; it must only take note of that.

        Returns:
            What to call to stop listening.
        """
        self._listeners.append(told)
        return lambda: self._listeners.remove(told)
