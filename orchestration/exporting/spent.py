"""What was used of models, in words: tokens and money, where unknown money is called unpriced and is never zero."""

from collections.abc import Iterable, Iterator
from typing import Final

from orchestration.records import dataclass
from orchestration.results import ExecutionResult, Usage

LEAST_SHOWN: Final = 0.0001
DOLLAR: Final = 1.0
THOUSAND: Final = 1000
MANY: Final = 10_000
"""Tokens from which on a short form is given in thousands."""


@dataclass(slots=True)
class Spent:
    """The sum of what several attempts used; `cost_usd` is of those only that somebody could price."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None
    is_unpriced: bool = False

    def add(self, usage: Usage) -> None:
        """Count one more attempt."""
        self.tokens_in += usage.input_total
        self.tokens_out += usage.output_total
        if usage.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + usage.cost_usd
        elif usage.input_total or usage.output_total or usage.requests:
            self.is_unpriced = True

    def __bool__(self) -> bool:
        """Whether anything was used, as far as it is known."""
        return bool(self.tokens_in or self.tokens_out or self.cost_usd is not None or self.is_unpriced)

    @property
    def cost(self) -> str:
        """The money: `$0.12`, `unpriced`, or both where only a part has a price."""
        if self.cost_usd is None:
            return "unpriced"
        return money(self.cost_usd) + (" and unpriced" if self.is_unpriced else "")

    @property
    def short(self) -> str:
        """Tokens and money in few words: `12.3k tokens, $0.12`."""
        return f"{_short(self.tokens_in + self.tokens_out)} tokens, {self.cost}"

    def __str__(self) -> str:
        """All of it: `12,345 tokens in, 678 out, $0.12`."""
        return f"{self.tokens_in:,} tokens in, {self.tokens_out:,} out, {self.cost}"


def spent_in(results: Iterable[ExecutionResult]) -> Spent:
    """What all attempts of some tasks used together."""
    spent = Spent()
    for result in results:
        for usage in _usages(result):
            spent.add(usage)
    return spent


def _usages(result: ExecutionResult) -> Iterator[Usage]:
    """What each attempt used; of a task that became several, what each of those used."""
    for attempt in result.attempts:
        if attempt.outcome.usage is not None and not attempt.outcome.metadata.get("sum_of_parts"):
            yield attempt.outcome.usage
    for leg in legs_of(result):
        yield from _usages(leg)


def legs_of(result: ExecutionResult) -> list[ExecutionResult]:
    """The parts that a task of a hybrid agent became."""
    return [ExecutionResult.from_dict(leg) for leg in result.metadata.get("legs", ())]


def money(usd: float) -> str:
    """Dollars, with as many digits as say something."""
    if usd <= 0:
        return "$0.00"
    if usd < LEAST_SHOWN:
        return f"<${LEAST_SHOWN}"
    return f"${usd:,.2f}" if usd >= DOLLAR or round(usd, 2) == round(usd, 4) else f"${usd:.4f}"


def _short(tokens: int) -> str:
    if tokens < MANY:
        return f"{tokens:,}"
    if tokens < THOUSAND * THOUSAND:
        return f"{tokens / THOUSAND:.1f}k"
    return f"{tokens / THOUSAND / THOUSAND:,.1f}M"
