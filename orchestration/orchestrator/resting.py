"""Tasks that nothing keeps from starting but a moment: their account has reached its limit, or their next try is due.

What a run was told of an account counts as long as that run is open: the command that continues it heeds the pause.
Who may go on with another agent meanwhile (`fallback`) waits for that one's account, if for any.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from orchestration.executor import Planned, node_of
from orchestration.orchestrator.lastword import Books
from orchestration.plan import Limits
from orchestration.records import dataclass

_ACCOUNT: Final = "account "


@dataclass(frozen=True, slots=True)
class Rest:
    """Until when nothing of a task starts; `account` is the one that it waits for, None where only its try is due."""

    account: str | None
    until: datetime

    def __str__(self) -> str:
        """What the task waits for, as the reason of its state."""
        moment = self.until.isoformat(timespec="seconds")
        if self.account is None:
            return f"may be tried again at {moment}"
        return f"account {self.account} has reached its limit, until {moment}"


async def resting(books: Books, planned: Sequence[Planned], now: datetime) -> dict[str, Rest]:
    """What each of the tasks waits for that could not start at `now`, whatever else is to be said of it."""
    ledgers = await books.open_ledgers()
    limits, moment = Limits(), now.timestamp()
    for pause in (pause for ledger in ledgers for pause in ledger.pauses.values()):
        if pause.until is not None and pause.until > now:
            limits.pause(_ACCOUNT + pause.account, pause.until.timestamp(), exhausted=pause.exhausted)
    found: dict[str, Rest] = {}
    for task in planned:
        due = max((at for ledger in ledgers if (at := ledger.due_at(task.id)) is not None and at > now), default=None)
        rest = _pause(task, limits, moment) if limits.pauses_any else None
        if due is not None and (rest is None or due > rest.until):
            rest = Rest(rest.account if rest else None, due)
        if rest is not None:
            found[task.id] = rest
    return found


def _pause(task: Planned, limits: Limits, now: float) -> Rest | None:
    """The pause of the account of whoever does the task now."""
    node = node_of(task, limits)
    exhausted = node.fallback is not None and limits.is_exhausted(node.limits, now)
    names = node.fallback.limits if node.fallback is not None and exhausted else node.limits
    until = limits.paused_until(names, now)
    if until is None:
        return None
    account = next(name for name in names if name.startswith(_ACCOUNT))
    return Rest(account.removeprefix(_ACCOUNT), datetime.fromtimestamp(until, UTC))
