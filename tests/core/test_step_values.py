"""Values between steps: how they are kept apart, written as JSON, shown, and bound to names."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from orchestration.errors import UsageError
from orchestration.shown import in_order, shown
from orchestration.steps.given import AGAIN, parameter_changes, read_again, written
from orchestration.steps.returns import BadReturn, Return, Returned, bind, kept, restored
from orchestration.steps.values import NotKept, apart, as_json

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
json_values = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


class Thing:
    """Something that JSON knows nothing of."""


class Breaks(BaseModel):
    """A model that cannot be shown."""

    a: int

    def model_dump(self, **_: Any) -> Any:  # noqa: ANN401  # the parent's
        raise RuntimeError


@dataclass
class Point:
    """A record."""

    a: int
    b: int


@given(json_values)
def test_json_stays_as_it_is_wherever_it_goes(value: Any) -> None:  # noqa: ANN401  # any JSON
    assert apart(value) == as_json(value) == shown(value) == value
    assert written({"x": value}) == {"x": value}
    assert kept([Return("x")], {"x": value}) == {"x": value}
    assert restored(None, value) == value


@given(st.lists(json_values, min_size=1))
def test_what_is_kept_apart_shares_no_container(value: list[Any]) -> None:
    copy = apart(value)
    value.append("later")
    assert copy == value[:-1]


def circle() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(5_000):
        made = [made]
    return made


def tree() -> dict[str, Any]:
    """A tree whose leaves know their parent."""
    root: dict[str, Any] = {"name": "root", "parts": []}
    root["parts"] += [{"name": name, "above": root, "beside": root["parts"]} for name in "abc"]
    return root


def shared(levels: int = 60) -> list[Any]:
    """What would be written out as 2 to the power of `levels` items."""
    made: list[Any] = [1]
    for _ in range(levels):
        made = [made, made]
    return made


@pytest.mark.parametrize(
    "value",
    [
        tree(),
        shared(),
        (shared(), {"x": shared()}),
        Thing(),
        {1: Thing(), (1, 2): 3, None: 4},
        b"\xff\x00",
        {1, "a", None},
        circle(),
        deep(),
        Breaks(a=1),
        iter([1]),
        1 << 20_000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_is_shown_is_json(value: Any) -> None:  # noqa: ANN401  # any value
    assert json.dumps(shown(value))


keys = st.text(max_size=3) | st.integers(-9, 9) | st.booleans() | st.dates()
python_values = st.recursive(
    plain | st.dates() | st.binary(max_size=3).map(lambda data: data.hex()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(st.integers(), max_size=3)
    ),
    max_leaves=25,
)


@given(python_values)
def test_each_value_is_kept_as_pydantic_would_keep_it_alone(value: Any) -> None:  # noqa: ANN401  # any value
    made = as_json(value)
    assert made == to_jsonable_python(value) or has_sets(value)
    assert made == as_json(apart(value))
    assert apart(value) == value


def has_sets(value: Any) -> bool:  # noqa: ANN401  # any value
    """Sets have an order of ours."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return isinstance(value, set) or any(map(has_sets, items))


def test_what_is_made_of_one_container_is_not_taken_for_that_of_another() -> None:
    numbered = [{number: [number, {"x": number}]} for number in range(50)]
    assert as_json(numbered) == shown(numbered) == [{str(n): [n, {"x": n}]} for n in range(50)]
    with pytest.raises(NotKept):
        as_json({1: tree()})
    with pytest.raises(NotKept):
        as_json({1: shared()})


def test_what_is_shared_is_told_each_time_it_is_met() -> None:
    part = {"a": [1]}
    assert shown([part, (part, part)]) == as_json([part, (part, part)]) == [{"a": [1]}, [{"a": [1]}, {"a": [1]}]]
    assert shown(tree())["parts"][0] == {"name": "a", "above": "<builtins.dict>", "beside": "<builtins.list>"}
    assert len(json.dumps(shown(shared()))) < 10_000_000
    assert shown(shared(10)) == shared(10)


def test_a_copy_is_built_like_what_was_copied() -> None:
    root = tree()
    made = apart(root)
    assert made is not root
    assert made["parts"] is not root["parts"]
    assert [part["name"] for part in made["parts"]] == ["a", "b", "c"]
    assert all(part["above"] is made and part["beside"] is made["parts"] for part in made["parts"])
    first, second = apart(shared())
    assert first is second
    looped: tuple[list[Any]] = ([],)
    looped[0].append(looped)
    assert apart(looped)[0][0] is not looped
    assert apart({"p": Point(1, 2), "q": [Point(1, 2)]}) == {"p": Point(1, 2), "q": [Point(1, 2)]}


def test_looking_uses_nothing_up() -> None:
    def numbers() -> Iterator[int]:
        yield from range(3)

    made = numbers()
    shown({"deep": [made]})
    written({"deep": made})
    assert list(made) == [0, 1, 2]


def test_sets_have_one_order() -> None:
    assert in_order({"b", "a", "c"}) == ["a", "b", "c"]
    assert in_order({1, "a", None}) == in_order({None, "a", 1})
    assert as_json({"x": {3, 1, 2}}) == {"x": [1, 2, 3]}


@pytest.mark.parametrize(
    "value",
    [Thing(), [Thing()], {"a": object()}, circle(), tree(), shared(), {"digits": [1 << 20_000]}],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_json_is_not_kept(value: Any) -> None:  # noqa: ANN401  # any value
    with pytest.raises(NotKept):
        as_json(value)


# -- names -----------------------------------------------------------------------------------------------------------

names = st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, min_size=1, max_size=5)


@given(names, st.data())
def test_returns_bind_by_key_whatever_else_there_is(wanted: list[str], data: st.DataObject) -> None:
    values = {name: data.draw(json_values) for name in wanted}
    more = data.draw(st.dictionaries(st.text("xyz", min_size=1), json_values))
    shuffled = dict(data.draw(st.permutations([*{**more, **values}.items()])))
    returns = [Return(name) for name in wanted]
    assert bind(returns, Returned({**shuffled, **values})) == values
    assert bind(returns, Returned({**shuffled, **values}, is_end_event=True)) == values


@given(names, st.data())
def test_returns_bind_by_position(wanted: list[str], data: st.DataObject) -> None:
    values = data.draw(st.lists(plain, min_size=len(wanted), max_size=len(wanted)))
    returns = [Return(name) for name in wanted]
    for made in (values, tuple(values)):
        expected = dict(zip(wanted, values, strict=True)) if len(wanted) > 1 else {wanted[0]: made}
        assert bind(returns, Returned(made)) == expected


@given(names)
def test_a_missing_key_is_named(wanted: list[str]) -> None:
    gone, *there = wanted
    with pytest.raises(BadReturn, match=f"no {gone}"):
        bind([Return(name) for name in wanted], Returned(dict.fromkeys(there), is_end_event=True))


# -- parameters that come back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [Thing(), (1, 2), {1, 2}, {1: 2}, Point(1, 2), [Point(1, 2)], b"x", {"a": (1,)}])
def test_what_would_come_back_as_something_else_has_to_be_given_again(value: Any) -> None:  # noqa: ANN401  # any value
    stored = json.loads(json.dumps(written({"x": value, "y": 1})))
    assert [*stored["x"]] == [AGAIN]
    assert read_again(stored, {"x": value}) == {"x": value, "y": 1}
    assert parameter_changes(stored, written({"x": value})) == []
    with pytest.raises(UsageError, match="given x again"):
        read_again(stored, {"y": 1})


def test_changed_parameters_are_told() -> None:
    before = written({"x": 1, "nan": float("nan")})
    assert parameter_changes(before, written({"x": 1, "nan": float("nan")})) == []
    assert parameter_changes(before, written({"x": 2, "z": 3})) == [
        "the parameter z is new",
        "the parameter x was 1 and is now 2",
    ]


class AnyAttribute:
    """What stands for something far away, and has whatever it is asked for."""

    def __getattr__(self, name: str) -> str:
        return name


class NoAttribute:
    """What fails when it is asked for what it does not have."""

    def __getattr__(self, name: str) -> str:
        raise LookupError(name)


@pytest.mark.parametrize("kind", [AnyAttribute, NoAttribute])
def test_what_is_strange_about_attributes_is_handed_on_as_it_is(kind: type) -> None:
    value = kind()
    assert apart([value])[0] is value
