"""Drawing the items out of whatever a function returned, until the one that says `done`; the rest is never asked for.

`take` is given every item as it was yielded, and may return something to await. Edges survived: a generator that yields
after its end was said (it is closed, so that its `finally` runs), one that also returns a value, an async iterator that
cannot be closed, a coroutine that gives a generator.
"""

from __future__ import annotations

from types import GeneratorType

from orchestration.worker.calling import dumped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import Any


def end_of_stream(item: Any) -> dict[str, Any] | None:  # noqa: ANN401  # whatever was yielded
    """The outputs in an item that says `{"type": "done", …}`; None for all other items."""
    item = dumped(item)
    if isinstance(item, dict) and item.get("type") == "done":
        return {key: value for key, value in item.items() if key != "type"}
    return None


def drawn(items: GeneratorType[Any, None, Any], take: Callable[[Any], None]) -> Any:  # noqa: ANN401  # any value
    """Draw all items; returns what the last one says, or what the generator returns."""
    try:
        while True:
            try:
                item = next(items)
            except StopIteration as stop:
                return stop.value
            take(item)
            if (end := end_of_stream(item)) is not None:
                return end
    finally:
        items.close()


def is_pending(value: Any) -> bool:  # noqa: ANN401  # whatever was returned
    """Whether a loop is needed to get at the value."""
    return hasattr(type(value), "__await__") or hasattr(type(value), "__aiter__")


async def settled(value: Any, take: Callable[[Any], Awaitable[None] | None]) -> Any:  # noqa: ANN401  # any value
    """Await and draw until there is a plain value."""
    if hasattr(type(value), "__await__"):
        value = await value
    if isinstance(value, GeneratorType):
        value = _as_async(value)
    return await _drawn(value, take) if hasattr(type(value), "__aiter__") else value


async def _drawn(items: AsyncIterator[Any], take: Callable[[Any], Awaitable[None] | None]) -> Any:  # noqa: ANN401  # as above
    try:
        async for item in items:
            answer = take(item)
            if answer is not None:
                await answer
            if (end := end_of_stream(item)) is not None:
                return end
    finally:
        if hasattr(items, "aclose"):
            await items.aclose()
    return None


async def _as_async(items: GeneratorType[Any, None, Any]) -> AsyncIterator[Any]:
    try:
        for item in items:
            yield item
    finally:
        items.close()
