"""What templates know of other tasks: a dictionary to whoever asks, of which only what is asked for is looked at."""

from collections.abc import Mapping
from typing import Any

import pytest

from orchestration.attempts.upstream import Upstream
from orchestration.errors import TemplateError
from orchestration.prompts import evaluate, render, render_value

SEEN: Mapping[str, Mapping[str, Any]] = {
    "A": {"status": "success", "output": "hi", "outputs": {"x": 1, "items": "mine"}},
    "B-2": {"status": "failed", "output": "", "outputs": {}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ tasks.A.outputs.x + 1 }}", "2"),
        ("{{ tasks['B-2'].status }}", "failed"),
        ("{{ tasks.A.outputs.items }}", "mine"),
        ("{{ tasks | length }}", "2"),
        ("{{ tasks | list }}", "['A', 'B-2']"),
        ("{% for one in tasks %}{{ one }} {% endfor %}", "A B-2 "),
        ("{% for id, one in tasks.items() %}{{ id }}={{ one.status }} {% endfor %}", "A=success B-2=failed "),
        ("{{ tasks.values() | map(attribute='status') | join(',') }}", "success,failed"),
        ("{{ tasks.items() | list | length }} {{ tasks.values() | length }}", "2 2"),
        ("{% for id, one in tasks | dictsort %}{{ id }}{{ one.outputs | length }} {% endfor %}", "A2 B-20 "),
        ("{{ 'A' in tasks }} {{ 'Z' in tasks }}", "True False"),
        ("{{ tasks.get('A').output }} {{ tasks.get('Z', 'none') }}", "hi none"),
        ("{{ tasks.Z is defined }} {{ tasks.A is defined }}", "False True"),
        ("{{ (tasks | tojson | length) > 80 }}", "True"),
        ("{{ dict(tasks)['A'].output }} {{ tasks.copy()['A'].output }}", "hi hi"),
        ("{{ tasks == dict(tasks) }} {{ tasks is mapping }}", "True True"),
        ("{{ 'hi' in tasks | string }}", "True"),
    ],
)
def test_it_is_the_dictionary_that_it_seems_to_be(text: str, value: str) -> None:
    assert render(text, {"tasks": SEEN}) == value
    assert render(text, {"tasks": Upstream(SEEN, SEEN.__getitem__)}) == value


def test_a_value_that_is_all_of_it_is_plain() -> None:
    found = render_value("{{ tasks }}", {"tasks": Upstream(SEEN, SEEN.__getitem__)})
    assert found == SEEN
    assert type(found) is dict


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(TemplateError, match=r"the list of tasks has no 'Z'.*A.*B-2"):
        render("{{ tasks.Z.output }}", {"tasks": Upstream(SEEN, SEEN.__getitem__)})
    with pytest.raises(TemplateError, match=r"what A passed on has no 'y'.*x"):
        render("{{ tasks.A.outputs.y }}", {"tasks": Upstream(SEEN, SEEN.__getitem__)})


def test_only_what_is_asked_for_is_looked_at_and_that_once() -> None:
    looked: list[str] = []

    def came_of(task_id: str) -> Mapping[str, Any]:
        looked.append(task_id)
        return SEEN["A"]

    tasks = Upstream((f"T{n}" for n in range(5_000)), came_of)
    for _ in range(3):
        assert evaluate("tasks['T7'].output == 'hi' and tasks.T9.outputs.x == 1", {"tasks": tasks}) is True
    assert looked == ["T7", "T9"]


def test_results_are_a_mapping_of_their_tasks_in_order() -> None:
    tasks = Upstream(["B-2", "A", "B-2"], SEEN.__getitem__)
    assert ([*tasks], len(tasks), "A" in tasks, "C" in tasks) == (["B-2", "A"], 2, True, False)
    assert dict(tasks) == SEEN
    assert tasks.of(["A", "C"]) == {"A": SEEN["A"]}
    with pytest.raises(KeyError):
        tasks["C"]


def test_changes_are_refused_as_those_of_any_mapping() -> None:
    for change in ("tasks.update({'A': 1})", "tasks.clear()", "tasks.pop('A')", "tasks.setdefault('Z', 1)"):
        with pytest.raises(TemplateError):
            render("{{ " + change + " }}", {"tasks": SEEN})
