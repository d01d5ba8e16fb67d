"""Ways around failures lead where they say, however they cross; a plain interpreter of the same steps says where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration import AsyncPipeline, AsyncPythonTask, Map, Parallel, RunStatus
from tests.world.steps import nothing, pipeline_of, statuses


async def fails() -> None:
    raise ValueError("it is broken")


def step(name: str, *, good: bool, on_failure: Any = None) -> AsyncPythonTask:  # noqa: ANN401  # a name or a step
    return AsyncPythonTask(nothing if good else fails, name, on_failure=on_failure)


# -- by example ------------------------------------------------------------------------------------------------------


async def test_a_way_from_a_step_that_is_passed_over_leads_nowhere() -> None:
    handled = step("a", good=False, on_failure=step("h", good=True))
    run = await pipeline_of(handled, step("b", good=True, on_failure="c"), step("c", good=True)).execute()
    assert statuses(run) == {"a": "failed", "h": "success", "b": "skipped", "c": "skipped"}


async def test_of_two_ways_the_longer_one_passes_the_end_of_the_shorter_one_by() -> None:
    steps = [step("a", good=False, on_failure="d"), step("b", good=True, on_failure="c")]
    run = await pipeline_of(*steps, step("c", good=True), step("d", good=True)).execute()
    assert statuses(run) == {"a": "failed", "b": "skipped", "c": "skipped", "d": "success"}


async def test_a_handler_of_a_handler_runs_when_that_has_failed() -> None:
    second = step("second", good=True)
    for first in (
        step("first", good=False, on_failure=second),
        AsyncPipeline([step("inner", good=False)], "first", on_failure=second),
    ):
        run = await pipeline_of(step("a", good=False, on_failure=first)).execute()
        found = statuses(run)
        found.pop("first/inner", None)
        assert found == {"a": "failed", "first": "failed", "second": "success"}
        assert run.status is RunStatus.SUCCESS


async def test_a_handler_may_be_that_of_several_steps() -> None:
    mend = step("mend", good=True)
    for bad in "ab":
        steps = [
            step("a", good=bad != "a", on_failure="mend"),
            step("b", good=bad != "b", on_failure=mend),
            step("c", good=True),
        ]
        run = await pipeline_of(*steps).execute()
        assert {name: state for name, state in statuses(run).items() if state == "success"} == {
            **({} if bad == "a" else {"a": "success"}),
            "mend": "success",
        }
        assert run.status is RunStatus.SUCCESS


async def test_a_branch_that_is_a_pipeline_has_its_handler() -> None:
    inner = AsyncPipeline([step("a", good=False)], "inner", on_failure=step("mend", good=True))
    run = await pipeline_of(Parallel("p", {"b": inner}), Map("m", inner, "xs", "x")).execute({"xs": [1]})
    assert run.status is RunStatus.SUCCESS
    assert (run["p/b/inner"].status, run["p/b/mend"].status) == ("failed", "success")
    assert (run["m[0]/inner"].status, run["m[0]/mend"].status) == ("failed", "success")


# -- at random -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """One step: whether it does well, and what handles it: so many steps further on, or a step of its own."""

    good: bool
    further: int
    handler: "Written | None"

    def way(self, steps: "Sequence[Written]", n: int) -> int | None:
        """The number of the step that it names, where it stands at `n`."""
        target = n + self.further
        return target if self.handler is None and n < target < len(steps) else None


def chains(handlers: st.SearchStrategy[Written | None]) -> st.SearchStrategy[Written | None]:
    return st.builds(Written, st.booleans(), st.integers(0, 4), handlers)


written = st.builds(Written, st.booleans(), st.integers(0, 4), st.recursive(st.none(), chains, max_leaves=3))


def built(steps: Sequence[Written]) -> AsyncPipeline:
    def made(name: str, one: Written, way: int | None) -> AsyncPythonTask:
        handler = None if one.handler is None else made(f"{name}h", one.handler, None)
        return step(name, good=one.good, on_failure=handler if way is None else f"s{way}")

    return pipeline_of(*(made(f"s{n}", one, one.way(steps, n)) for n, one in enumerate(steps)))


def walked(steps: Sequence[Written], n: int = 0) -> tuple[list[str], bool]:
    """The steps that run from the one with this number on, and whether all ends well."""
    if n == len(steps):
        return [], True
    one, name = steps[n], f"s{n}"
    ran = [name]
    target = n + 1 if one.good else one.way(steps, n)
    if target is not None:
        after, well = walked(steps, target)
        return ran + after, well
    while not one.good and one.handler is not None:
        one, name = one.handler, f"{name}h"
        ran.append(name)
    return ran, one.good


@settings(max_examples=60)
@given(st.lists(written, min_size=1, max_size=6))
def test_random_ways_lead_where_one_step_after_the_other_leads(steps: Sequence[Written]) -> None:
    run = built(steps).run()
    ran = [name for name, state in statuses(run).items() if state in {"success", "failed"}]
    assert (sorted(ran), run.succeeded) == (sorted(walked(steps)[0]), walked(steps)[1])
