"""The store of a run that is kept nowhere: one run, nobody who can look into it, gone when the run ends."""

from collections.abc import Awaitable, Sequence

from orchestration.events import Event
from orchestration.protocols import DONE
from orchestration.store.memory import MemoryStore


class UnseenStore(MemoryStore):
    """Keeps no events, as nobody can ask for them; what may follow what, the plan has seen to."""

    is_private = True

    def append(self, run_id: str, events: Sequence[Event]) -> Awaitable[None]:
        """Nothing need be done; see `protocols.EventLog`."""
        del run_id, events
        return DONE
