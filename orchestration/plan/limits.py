"""Named limits: how many tasks may run at once of an agent, with a pool, on an account; and accounts that pause.

Several plans may share one `Limits` (several runs of one process), so that two runs together never use more than one
run alone could. A plan takes when it hands a task out and gives back when the task stops running; whoever gives back
what was in full use tells the others, because one of their tasks may have waited for just that.

An account that has reached its limit is paused until a moment, for all plans at once; one that is *exhausted* lets its
tasks go to their fallback meanwhile; one that is *given up* is not worth waiting for in this process, so that a run
with nothing else to do may end. Moments are seconds since the epoch, and who asks says which one it is now.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

_UNLIMITED: Final = float("inf")


class Limits:
    """Who may use how much, and how much is in use now."""

    __slots__ = ("_caps", "_exhausted", "_given_up", "_listeners", "_pauses", "_used", "_waiting", "pauses_changed")

    def __init__(self, caps: Mapping[str, int] | None = None) -> None:
        """Set each name's limit; a name without one is not limited."""
        self._caps: dict[str, int] = dict(caps or {})
        self._used: dict[str, int] = {}
        self._pauses: dict[str, float] = {}
        self._exhausted: dict[str, float] = {}  # name → the end of the pause in which it is
        self._given_up: set[str] = set()
        self._listeners: list[Callable[[], None]] = []
        self._waiting: dict[str, list[list[str]]] = {}
        self.pauses_changed = 0

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

    def cap(self, name: str) -> int | None:
        """How many may use the name at once, None for no limit."""
        return self._caps.get(name)

    def set_cap(self, name: str, cap: int | None) -> None:
        """Change a limit; what is in use beyond a smaller one goes on."""
        if cap is None:
            self._caps.pop(name, None)
        else:
            self._caps[name] = cap
        self._announce_room(name)
        self._tell()

    # -- pauses -------------------------------------------------------------------------------------------------

    def pause(self, name: str, until: float, *, exhausted: bool = False) -> None:
        """Let nothing of the name start before then; a pause is never shortened."""
        self._pauses[name] = max(until, self._pauses.get(name, until))
        if exhausted:
            self._exhausted[name] = self._pauses[name]
        self.pauses_changed += 1
        self._tell()

    def give_up(self, name: str) -> None:
        """Do not wait for the end of the name's pause in this process."""
        self._given_up.add(name)

    def wait_again(self, name: str) -> None:
        """Wait for the end of the name's pause: an earlier one that was too long is over."""
        self._given_up.discard(name)

    @property
    def pauses_any(self) -> bool:
        """Whether some name was paused, over or not."""
        return bool(self._pauses)

    def pauses(self, now: float) -> list[tuple[str, float]]:
        """Each name that is paused, and until when."""
        return [(name, until) for name, until in self._pauses.items() if until > now]

    def paused_until(self, names: Sequence[str], now: float) -> float | None:
        """Until when nothing that uses all of the names can start because of a pause, None where nothing is paused."""
        if not self._pauses:
            return None
        until = max((self._pauses[name] for name in names if name in self._pauses), default=now)
        return until if until > now else None

    def is_exhausted(self, names: Sequence[str], now: float) -> bool:
        """Whether one of the names is paused and exhausted; who was so in an earlier pause is not for ever."""
        return any(self._exhausted.get(name, now) > now for name in names)

    @property
    def gives_up_any(self) -> bool:
        """Whether some name is not waited for."""
        return bool(self._given_up)

    def is_given_up(self, names: Sequence[str]) -> bool:
        """Whether one of the names is not waited for."""
        return bool(self._given_up) and any(name in self._given_up for name in names)

    # -- use ----------------------------------------------------------------------------------------------------

    def take(self, names: Sequence[str]) -> None:
        """Use one of each, room or not: what happened, happened; `full` is asked before something is begun."""
        for name in names:
            self._used[name] = self._used.get(name, 0) + 1

    def take_if_free(self, names: Sequence[str]) -> bool:
        """Use one of each, if there is room in all of them and nothing was ever paused; else nothing is used."""
        if self._pauses:
            return False
        caps, used = self._caps, self._used
        for name in names:
            if used.get(name, 0) >= caps.get(name, _UNLIMITED):
                return False
        for name in names:
            used[name] = used.get(name, 0) + 1
        return True

    def give(self, names: Sequence[str]) -> None:
        """Give one of each back."""
        caps, used, was_full = self._caps, self._used, False
        for name in names:
            left = used[name] = used[name] - 1
            if caps.get(name) == left + 1:
                was_full = True
                self._announce_room(name)
        if was_full:
            self._tell()

    def wait_for_room(self, name: str, mailbox: list[str]) -> None:
        """Have the name put in the mailbox when it may have room again; once."""
        self._waiting.setdefault(name, []).append(mailbox)

    def _announce_room(self, name: str) -> None:
        for mailbox in self._waiting.pop(name, ()):
            mailbox.append(name)

    def _tell(self) -> None:
        for told in tuple(self._listeners):
            told()

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        """Have `told()` called when something that was in full use was given back; it must only take note of that.

        Returns:
            What to call to stop listening.
        """
        self._listeners.append(told)
        return lambda: self._listeners.remove(told)
