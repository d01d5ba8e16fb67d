"""The store `jsonl://FILE`: all that happens in a run, as lines of JSON that other programs can follow.

It keeps what it is asked for in memory, as the store that it derives from does; so it is for watching, and no run can
be continued from it in another process.
"""

import json
from collections.abc import Awaitable, Sequence
from pathlib import Path

from orchestration.events import Event, to_dict
from orchestration.protocols import RunRecord
from orchestration.store.memory import MemoryStore


class JsonlStore(MemoryStore):
    """Writes each event down before it is acknowledged."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file.open("a", encoding="utf-8")

    def append(self, run_id: str, events: Sequence[Event]) -> Awaitable[None]:
        """Keep more events of a run: at once, so that their order is that of the calls."""
        answer = super().append(run_id, events)
        self._write(events)
        return answer

    async def open_run(self, record: RunRecord, events: Sequence[Event]) -> None:
        """Add a run, with its first events."""
        await super().open_run(record, events)
        self._write(events)

    async def close(self) -> None:
        """Close the file."""
        await super().close()
        self._file.close()

    def _write(self, events: Sequence[Event]) -> None:
        self._file.writelines(json.dumps(to_dict(event), default=repr) + "\n" for event in events)
        self._file.flush()


def open_store(address: str) -> JsonlStore:
    """Called with what stands behind `jsonl://`."""
    return JsonlStore(Path(address))
