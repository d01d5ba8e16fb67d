"""What an attempt used is priced once, where the table and the model that was really used are known."""

from pathlib import Path

import pytest

from orchestration.executor import TaskExecutor
from orchestration.models import Price, Settings, Task
from orchestration.registry import AgentRegistry
from orchestration.results import ExecutionResult
from orchestration.testing import scripted_agent

pytestmark = pytest.mark.slow

PRICES = {"lark-1": Price(input=2.0, output=10.0)}


async def use(tmp_path: Path, *, cost: float | None = None, model: str = "lark-1") -> ExecutionResult:
    usage = {"input": 1_000_000, "output": 100_000, **({} if cost is None else {"cost_usd": cost})}
    agent = scripted_agent({"model": model}, {"usage": usage}, "final")
    registry = AgentRegistry({"player": agent})
    executor = TaskExecutor(registry, directory=tmp_path, settings=Settings(prices=PRICES))
    result = await executor.execute(Task(id="A", agent="player"))
    assert result.succeeded, result.error
    assert result.usage is not None
    return result


async def test_the_table_prices_what_the_agent_did_not(tmp_path: Path) -> None:
    result = await use(tmp_path)
    assert result.usage is not None
    assert result.usage.cost_usd == pytest.approx(3.0)
    assert result.usage.source == "computed"
    assert "unpriced" not in result.metadata


async def test_a_reported_cost_stands(tmp_path: Path) -> None:
    result = await use(tmp_path, cost=0.5)
    assert result.usage is not None
    assert (result.usage.cost_usd, result.usage.source) == (0.5, "reported")


async def test_a_model_that_no_table_knows_is_marked_as_unpriced(tmp_path: Path) -> None:
    result = await use(tmp_path, model="nobody-knows-it")
    assert result.usage is not None
    assert result.usage.cost_usd is None
    assert result.metadata["unpriced"] is True
