"""Items of threads and a loop that does not come to them: the thread never waits for ever."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from orchestration.calls import handing
from orchestration.calls.handing import Abandoned, HandOver

LIMIT = 10.0


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


class _Giving:
    """A thread that gives one item."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.taken: list[str] = []
        self.raised: BaseException | None = None
        self.begun = threading.Event()
        self.over = loop.run_until_complete(self._made())
        self._thread = threading.Thread(target=self._give, daemon=True)

    async def _made(self) -> HandOver:
        return HandOver()

    async def _take(self, item: str) -> None:
        self.taken.append(item)

    def _give(self) -> None:
        try:
            self.over.give("item", self._take)
        except BaseException as error:  # noqa: BLE001  # it is looked at
            self.raised = error

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> BaseException | None:
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()
        return self.raised


def _wait_until_given(loop: asyncio.AbstractEventLoop) -> None:
    """Wait until something is scheduled in a loop that stands still."""
    end = time.monotonic() + LIMIT
    while not loop._ready and time.monotonic() < end:  # type: ignore[attr-defined]  # noqa: SLF001  # it tells nobody
        time.sleep(0.001)


def test_an_item_after_the_end_needs_no_turn_of_the_loop(loop: asyncio.AbstractEventLoop) -> None:
    giving = _Giving(loop)
    giving.over.abandon()
    giving.begin()
    assert isinstance(giving.end(), Abandoned)


def test_an_item_that_waits_for_its_turn_is_given_up_without_one(loop: asyncio.AbstractEventLoop) -> None:
    giving = _Giving(loop)
    giving.begin()
    _wait_until_given(loop)
    giving.over.abandon()
    assert isinstance(giving.end(), Abandoned)
    loop.run_until_complete(asyncio.sleep(0.01))
    assert giving.taken == []


def test_an_item_for_a_loop_that_is_closed_meanwhile_is_given_up(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "PATIENCE", 0.01)
    giving = _Giving(loop)
    giving.begin()
    _wait_until_given(loop)
    loop.close()
    assert isinstance(giving.end(), Abandoned)
