"""Prices: which one a model's name finds, what usage then costs, and that nothing unknown is ever free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.models import Price
from orchestration.prices import PRICES
from orchestration.pricing import cost, price, price_of
from orchestration.results import Usage

TOKENS = st.integers(min_value=0, max_value=10**9)


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("anthropic/claude-opus-4-5", "claude-opus-4-5"),
        ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("openai/gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
    ],
)
def test_a_model_is_found_by_its_name_with_or_without_date_and_provider(name: str, known_as: str) -> None:
    assert price_of(name, {}) is PRICES[known_as]


@pytest.mark.parametrize("name", ["gpt-5-turbo", "gpt-5x", "claude-sonnet", "qwen3:8b", "", "gpt-5-20", "-20250929"])
def test_a_name_that_only_looks_like_a_known_one_has_no_price(name: str) -> None:
    assert price_of(name, {}) is None


def test_the_own_table_wins_also_by_the_undated_name() -> None:
    mine = {"gpt-4o": Price(input=1, output=2)}
    assert price_of("gpt-4o", mine) is mine["gpt-4o"]
    assert price_of("gpt-4o-2024-05-13", mine) is mine["gpt-4o"]
    assert price_of("gpt-4o-mini", mine) is PRICES["gpt-4o-mini"]


def test_an_exact_name_of_the_own_table_wins_over_its_undated_one() -> None:
    mine = {"m": Price(input=1, output=1), "m-20250101": Price(input=9, output=9)}
    assert price_of("m-20250101", mine) is mine["m-20250101"]


def test_cached_tokens_are_part_of_the_input_and_have_their_own_prices() -> None:
    usage = Usage(input_total=1_000_000, cached_read=400_000, cache_write=100_000, output_total=10_000, reasoning=9_000)
    found = Price(input=3, output=15, cached_read=0.3, cache_write=3.75)
    assert cost(usage, found) == pytest.approx(0.5 * 3 + 0.4 * 0.3 + 0.1 * 3.75 + 0.01 * 15)


def test_a_price_that_leaves_cached_tokens_out_takes_them_as_ordinary_input() -> None:
    usage = Usage(input_total=1_000_000, cached_read=400_000, cache_write=100_000)
    assert cost(usage, Price(input=2, output=0)) == pytest.approx(2.0)


def test_usage_gets_its_cost_and_says_that_it_was_computed() -> None:
    used = Usage(input_total=1_000_000, output_total=1_000_000, requests=1, source="reported", raw={"a": 1})
    priced = price(used, "m", {"m": Price(input=1, output=2)})
    assert (priced.cost_usd, priced.source, priced.requests, priced.raw) == (3.0, "computed", 1, {"a": 1})


@pytest.mark.parametrize("model", [None, "never-heard-of"])
def test_usage_of_an_unknown_model_stays_without_a_cost(model: str | None) -> None:
    used = Usage(input_total=5, output_total=5, source="reported")
    assert price(used, model, {}) is used
    assert used.cost_usd is None


def test_tokens_that_nobody_counted_cost_something_unknown_and_not_nothing() -> None:
    used = Usage(requests=1)
    assert price(used, "gpt-5", {}).cost_usd is None


def test_a_cost_that_was_reported_is_believed() -> None:
    used = Usage(input_total=5, cost_usd=0.25, source="reported")
    assert price(used, "gpt-5", {}) is used


def test_a_model_that_is_known_to_be_free_costs_nothing() -> None:
    used = Usage(input_total=5, output_total=5, source="reported")
    assert price(used, "qwen3:8b", {"qwen3:8b": Price(input=0, output=0)}).cost_usd == 0.0


@given(total=TOKENS, read=TOKENS, written=TOKENS, output=TOKENS)
def test_a_cost_is_never_negative_and_never_above_the_dearest_price(
    total: int, read: int, written: int, output: int
) -> None:
    usage = Usage(input_total=total, cached_read=read, cache_write=written, output_total=output)
    dollars = cost(usage, Price(input=3, output=15, cached_read=0.3, cache_write=3.75))
    assert 0 <= dollars <= (total * 3.75 + output * 15) / 1e6 * 1.000001


@pytest.mark.parametrize("name", sorted(PRICES))
def test_every_price_that_ships_makes_sense(name: str) -> None:
    found = PRICES[name]
    assert 0 < found.input < found.output
    assert found.cached_read is None or 0 < found.cached_read < found.input
    assert found.cache_write is None or found.cache_write > found.input
