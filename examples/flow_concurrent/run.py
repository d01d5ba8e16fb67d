"""An order becomes an invoice: nine steps that mostly wait, and what it takes to do them side by side.

    python examples/flow_concurrent/run.py [AT_ONCE]

The services are made up and only take their time; the flow, its branch, its retry and its figures are real.
"""

import asyncio
import sys
import time
from typing import Any

from orchestration import Flow, FlowExecutor, FlowStep, RunResult, ref

WIDTH = 50
"""Columns of the picture."""


async def customer(order: int) -> dict[str, Any]:
    """Ask the customer service."""
    await asyncio.sleep(0.3)
    return {"name": f"Customer of order {order}", "country": "PT"}


async def items(order: int) -> list[dict[str, Any]]:
    """Ask the shop."""
    await asyncio.sleep(0.4)
    return [{"what": "lamp", "count": order % 5 + 1}, {"what": "chair", "count": 2}]


def prices() -> dict[str, float]:
    """Ask an old database, by a driver that blocks: this runs in a thread."""
    time.sleep(0.5)
    return {"lamp": 30.0, "chair": 80.0}


class Rates:
    """A service that is down when it is asked first."""

    def __init__(self) -> None:
        """It has not been asked."""
        self._asked = 0

    async def __call__(self, country: str) -> float:
        """The rate of value added tax of a country."""
        self._asked += 1
        await asyncio.sleep(0.1)
        if self._asked == 1:
            raise ConnectionError("the rates are down")
        return 0.23 if country == "PT" else 0.2


def amount(items: list[dict[str, Any]], prices: dict[str, float]) -> float:
    """Add up."""
    return float(sum(item["count"] * prices[item["what"]] for item in items))


async def discount(amount: float) -> float:
    """Have a large order looked at."""
    await asyncio.sleep(0.3)
    return amount * 0.9


async def full_price(amount: float) -> float:
    """A small order costs what it costs."""
    return amount


def invoice(
    customer: dict[str, Any], rate: float, discount: float | None = None, full_price: float | None = None
) -> str:
    """Write it: what was skipped is not there, and the default stands for it."""
    net = discount or full_price or 0.0
    return f"{customer['name']}: {net * (1 + rate):.2f}"


async def stock(items: list[dict[str, Any]]) -> int:
    """Reserve what was ordered, while all of the others go on."""
    await asyncio.sleep(0.6)
    return sum(item["count"] for item in items)


def flow() -> Flow:
    """Who waits for whom."""
    return Flow(
        "invoice",
        [
            FlowStep("customer", customer),
            FlowStep("items", items),
            FlowStep("prices", prices),
            FlowStep(
                "rate",
                Rates(),
                depends_on="customer",
                retry={"max": 3, "backoff": {"initial": 0.1}},
                inputs={"country": ref("customer.country")},
            ),
            FlowStep(
                "amount",
                amount,
                depends_on=["items", "prices"],
                branches={"discount": "amount > 250"},
                default="full_price",
            ),
            FlowStep("discount", discount, depends_on="amount"),
            FlowStep("full_price", full_price, depends_on="amount"),
            FlowStep("stock", stock, depends_on="items"),
            FlowStep("invoice", invoice, depends_on=["customer", "rate", "discount", "full_price"], timeout="5s"),
        ],
    )


def picture(run: RunResult) -> str:
    """When each step ran: a line for each, a bar for each attempt."""
    lines = []
    for record in run.results:
        line = [" "] * WIDTH
        for attempt in record.attempts:
            begin = (attempt.started_at - run.started_at).total_seconds() if run.started_at else 0.0
            first = int(begin / run.wall_seconds * WIDTH)
            last = int((begin + attempt.duration_seconds) / run.wall_seconds * WIDTH)
            line[first : max(first + 1, last)] = ("x" if attempt.outcome.failure else "=") * max(1, last - first)
        lines.append(f"{record.task_id:<11} {record.status:<8} |{''.join(line)[:WIDTH]}|")
    return "\n".join(lines)


def main() -> None:
    """Run it, and show what came of it."""
    at_once = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    run = FlowExecutor(max_concurrent=at_once).run(flow(), {"order": 8})
    print(picture(run))
    print()
    print(f"invoice        {run.outputs.get('invoice')}")
    print(f"steps at once  {at_once}")
    print(f"all steps      {run.step_seconds:.2f} s")
    print(f"longest way    {run.critical_path_seconds:.2f} s")
    print(f"the run took   {run.wall_seconds:.2f} s")


if __name__ == "__main__":
    main()
