"""The list prices that ship: dollars per million tokens, by the name of a model.

As of 2026-11-20, taken from the table of the package genai-prices (MIT), as it was on that day; not checked against the
providers' own pages. Prices change, and contracts differ: a project's own `prices` win. These are prices of ordinary
requests: batches, priority, tools that are paid apart, and the surcharge of some models for prompts of over 200,000
tokens are not in it (such prompts come out too cheap; a model that charges five times as much from 100,000 tokens on
was left out). A model that is not here has no price, which is never the same as costing nothing.
"""

from collections.abc import Mapping
from typing import Final

from orchestration.models import Price

PRICES_AS_OF: Final = "2026-11-20"
"""The day on which the table was right, as far as we know."""


def _price(money: float, output: float, cached_read: float | None = None, cache_write: float | None = None) -> Price:
    """Made unchecked, for a start need not wait for that; a test checks them."""
    return Price.model_construct(input=money, output=output, cached_read=cached_read, cache_write=cache_write)


PRICES: Final[Mapping[str, Price]] = {
    "claude-3-5-haiku": _price(0.8, 4, 0.08, 1),
    "claude-3-5-sonnet": _price(3, 15, 0.3, 3.75),
    "claude-3-7-sonnet": _price(3, 15, 0.3, 3.75),
    "claude-haiku-4-5": _price(1, 5, 0.1, 1.25),
    "claude-sonnet-4": _price(3, 15, 0.3, 3.75),
    "claude-sonnet-4-0": _price(3, 15, 0.3, 3.75),
    "claude-sonnet-4-5": _price(3, 15, 0.3, 3.75),
    "claude-sonnet-4-6": _price(3, 15, 0.3, 3.75),
    "claude-sonnet-5": _price(2, 10, 0.2, 2.5),
    "claude-sonnet-5-5": _price(2, 10, 0.1, 2.5),
    "claude-opus-4": _price(15, 75, 1.5, 18.75),
    "claude-opus-4-0": _price(15, 75, 1.5, 18.75),
    "claude-opus-4-1": _price(15, 75, 1.5, 18.75),
    "claude-opus-4-5": _price(5, 25, 0.5, 6.25),
    "claude-opus-4-6": _price(5, 25, 0.5, 6.25),
    "claude-opus-4-7": _price(5, 25, 0.5, 6.25),
    "claude-opus-4-8": _price(5, 25, 0.5, 6.25),
    "claude-opus-5": _price(5, 25, 0.5, 6.25),
    "claude-opus-5-5": _price(4, 20, 0.2, 5),
    "claude-fable-5": _price(10, 50, 1, 12.5),
    "claude-fable-5-1": _price(10, 50, 0.25, 12.5),
    "claude-fable-5-2": _price(8, 40, 0.2, 10),
    "gpt-4.1": _price(2, 8, 0.5),
    "gpt-4.1-mini": _price(0.4, 1.6, 0.1),
    "gpt-4.1-nano": _price(0.1, 0.4, 0.025),
    "gpt-4o": _price(2.5, 10, 1.25),
    "gpt-4o-2024-05-13": _price(5, 15),
    "gpt-4o-mini": _price(0.15, 0.6, 0.075),
    "gpt-5": _price(1.25, 10, 0.125),
    "gpt-5-mini": _price(0.25, 2, 0.025),
    "gpt-5-nano": _price(0.05, 0.4, 0.005),
    "gpt-5.1": _price(1.25, 10, 0.125),
    "gpt-5.1-codex-mini": _price(0.25, 2, 0.025),
    "gpt-5.2": _price(1.75, 14, 0.175),
    "gpt-5.3": _price(1.75, 14, 0.175),
    "gpt-5.3-codex": _price(1.75, 14, 0.175),
    "gpt-5.4": _price(2.5, 15, 0.25),
    "gpt-5.4-mini": _price(0.75, 4.5, 0.075),
    "gpt-5.4-nano": _price(0.2, 1.25, 0.02),
    "gpt-5.5": _price(5, 30, 0.5),
    "gpt-5.6-luna": _price(0.2, 1.2, 0.02, 0.25),
    "gpt-5.6-sol": _price(4, 20, 0.4, 5),
    "gpt-5.6-terra": _price(2, 12, 0.2, 2.5),
    "gpt-6-astra": _price(10, 50, 1, 12.5),
    "gpt-6-luna": _price(0.1, 0.5, 0.01, 0.125),
    "gpt-6-sol": _price(2, 10, 0.2, 2.5),
    "gpt-6.1-sol": _price(2, 10, 0.1, 2.5),
    "gpt-6.1-terra": _price(1, 5, 0.05, 1.25),
    "o1": _price(15, 60, 7.5),
    "o3": _price(2, 8, 0.5),
    "o3-mini": _price(1.1, 4.4, 0.55),
    "o4-mini": _price(1.1, 4.4, 0.275),
    "gemini-2.0-flash": _price(0.1, 0.4, 0.025),
    "gemini-2.5-flash": _price(0.3, 2.5, 0.03),
    "gemini-2.5-flash-lite": _price(0.1, 0.4, 0.01),
    "gemini-2.5-pro": _price(1.25, 10, 0.125),
    "gemini-3-flash-preview": _price(0.5, 3, 0.05),
    "gemini-3-pro-preview": _price(2, 12, 0.2),
    "gemini-3.1-flash-lite": _price(0.25, 1.5, 0.025),
    "gemini-3.1-pro-preview": _price(2, 12, 0.2),
    "gemini-3.5-flash": _price(1.5, 9, 0.15),
    "gemini-3.5-flash-lite": _price(0.3, 2.5, 0.03),
    "gemini-3.6-flash": _price(0.75, 3.75, 0.075),
    "gemini-3.7-flash": _price(0.75, 3.75, 0.075),
    "gemini-3.8-flash": _price(0.75, 3.75, 0.075),
    "gemini-4-argon": _price(2, 10, 0.1),
}
"""Models that agents use; `pricing.price_of` finds them by dated names too."""
