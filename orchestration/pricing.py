"""What usage costs: tokens times the price of their model, where that is known.

A model that is in no table stays without a price. Nothing here ever makes that zero: who adds costs up has to say that
some of them are not known.

Edges survived: dated names (`claude-sonnet-4-5-20250929`), names with a provider in front
(`anthropic/claude-opus-4-5`), a name that merely begins like another one (`gpt-5-mini` is no `gpt-5`), prices that
leave cached tokens out, counts that contradict each other (more cached tokens than tokens).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from orchestration.models import Price
from orchestration.results import Usage

MILLION: Final = 1_000_000

_VERSION: Final = re.compile(r"[-@:](?:latest|\d{8}|\d{4}-\d{2}-\d{2})$")
"""What may follow the name of a model without making it another one: a date, or the word for the newest."""


def price(usage: Usage, model: str | None, table: Mapping[str, Price]) -> Usage:
    """The usage with what it costs.

    Args:
        usage: one that already has a cost is returned as it is.
        model: the name that the agent or the service reported; None where it is not known.
        table: the project's own prices, which win over those that ship.

    Returns:
        The usage, its source `computed`; unchanged, its cost None, where there is no price.
    """
    found = None if model is None else price_of(model, table)
    if usage.cost_usd is not None or found is None or usage.source == "unknown":
        return usage
    return replace(usage, cost_usd=cost(usage, found), source="computed")


def price_of(model: str, table: Mapping[str, Price]) -> Price | None:
    """The price of a model by its name, None where it is in no table.

    In each table the name itself is looked up before the name without its date, and both before the same without a
    provider in front; the project's table is asked first for all of them.
    """
    from orchestration.prices import PRICES  # noqa: PLC0415  # most runs ask no models

    names = tuple(_names(model))
    for known in (table, PRICES):
        for name in names:
            if (found := known.get(name)) is not None:
                return found
    return None


def cost(usage: Usage, found: Price) -> float:
    """Dollars; reasoning is part of the output and not paid twice."""
    read = min(usage.cached_read, usage.input_total)
    written = min(usage.cache_write, usage.input_total - read)
    parts = (
        (usage.input_total - read - written, found.input),
        (read, found.input if found.cached_read is None else found.cached_read),
        (written, found.input if found.cache_write is None else found.cache_write),
        (usage.output_total, found.output),
    )
    return sum(tokens * dollars for tokens, dollars in parts) / MILLION


def _names(model: str) -> list[str]:
    """The names under which a model may be known, best first."""
    whole = model.strip()
    bare = whole.rpartition("/")[2]
    return list(dict.fromkeys((whole, _undated(whole), bare, _undated(bare))))


def _undated(name: str) -> str:
    return _VERSION.sub("", name)
