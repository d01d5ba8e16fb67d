"""By what a call is known again: code, what is held fixed, and arguments, exactly; and what has no key."""

import copy
import json
import math
import re
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import partial, wraps
from pathlib import Path
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from orchestration.steps.keys import key_of


def make(factor: int) -> Callable[[int], int]:
    def times(x: int) -> int:
        return factor * x

    return times


def test_the_key_is_of_code_defaults_what_is_held_fixed_and_exact_arguments() -> None:
    keys = [
        key_of(make(2), [], {"x": 1}, ""),
        key_of(make(3), [], {"x": 1}, ""),
        key_of(make(2), [], {"x": 2}, ""),
        key_of(make(2), [], {"x": 1}, "v"),
        key_of(lambda x: x, [], {"x": 1}, ""),
        key_of(lambda x: x + 1, [], {"x": 1}, ""),
        key_of(lambda x, y=1: x + y, [], {"x": 1}, ""),
        key_of(lambda x, y=2: x + y, [], {"x": 1}, ""),
        key_of(partial(make(2), 1), [], {}, ""),
        key_of(partial(make(2), 2), [], {}, ""),
        *(key_of(make(2), [], {"x": x}, "") for x in (True, 1.0, "1", [1], (1,), {1}, {"a": 1}, {1: "a"}, None)),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert key_of(make(2), [], {"x": 1}, "") == keys[0]
    assert key_of(make(2), [], {"x": {"b": 1, "a": 2}}, "") == key_of(make(2), [], {"x": {"a": 2, "b": 1}}, "")


@dataclass
class Factor:
    n: Any

    def times(self, x: int) -> int:
        return int(self.n) * x


def wrapped(function: Callable[[int], int]) -> Callable[[int], int]:
    @wraps(function)
    def wrapper(x: int) -> int:
        return function(x)

    return wrapper


def test_the_key_is_of_what_a_function_stands_on_too() -> None:
    functions = [
        *(wrapped(make(n)) for n in (2, 3)),
        *(wrapped(wrapped(make(n))) for n in (2, 3)),
        *(Factor(n).times for n in (2, 2.0, True, "2")),
        *(wrapped(Factor(n).times) for n in (2, 3)),
    ]
    keys = [key_of(function, [], {"x": 1}) for function in functions]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert key_of(wrapped(wrapped(make(2))), [], {"x": 1}) == keys[2]
    assert key_of(Factor(2).times, [], {"x": 1}) == keys[4]


def with_a_class(line: int, x: object, attribute: str = "mine") -> Callable[[], int]:
    """A function with a class in it that begins on this line of its file."""
    body = f"        x = {x!r}\n        def of(self): self.{attribute} = self.x"
    names: dict[str, Any] = {}
    exec("\n" * (line - 2) + f"def function():\n    class Inner:\n{body}\n    return Inner", names)  # noqa: S102
    return cast("Callable[[], int]", names["function"])


def test_the_key_is_not_of_the_line_that_a_class_in_a_function_stands_on() -> None:
    functions = [with_a_class(2, 5), with_a_class(2, 2), with_a_class(3, 3), with_a_class(2, 5, "other")]
    keys = [key_of(function, [], {}) for function in functions]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert key_of(with_a_class(3, 5), [], {}) == keys[0]
    assert key_of(with_a_class(5, 5), [], {}) == keys[0]
    assert key_of(with_a_class(9, 2), [], {}) == keys[1]


def test_a_function_that_holds_on_to_itself_has_a_key() -> None:
    def down(x: int) -> int:
        return down(x - 1) if x else 0

    assert key_of(down, [], {"x": 1})


class Callee:
    def __call__(self) -> int:
        return 1

    def method(self) -> int:
        return 1


def test_what_cannot_be_written_down_has_no_key() -> None:
    assert key_of(make(2), [], {"x": object()}, "") is None
    assert key_of(make(2), [], {"x": float("nan")}, "") is None
    assert key_of(Callee(), [], {}, "") is None
    assert key_of(Callee().method, [], {}, "") is None
    assert key_of(len, [], {}, "") is None
    circle: list[Any] = []
    circle.append(circle)
    assert key_of(make(2), [], {"x": circle}, "") is None


class Shade(Enum):
    DARK = 1
    LIGHT = 2


class Setting(BaseModel):
    model_config = ConfigDict(extra="allow")
    shown: Any = None
    hidden: int = Field(0, exclude=True)
    _private: int = PrivateAttr(0)

    @classmethod
    def of(cls, private: int) -> "Setting":
        made = cls()
        made._private = private
        return made


class Pair(NamedTuple):
    left: Any
    right: Any = None


class Marked(str):
    __slots__ = ()


@dataclass
class Open:
    x: int = 0

    def with_more(self, more: int) -> "Open":
        self.more = more
        return self


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Setting(hidden=1), Setting(hidden=2)),
        (Setting.of(1), Setting.of(2)),
        (Setting(shown=(1,)), Setting(shown=[1])),
        (Setting(shown=b"x"), Setting(shown="x")),
        (Setting.model_validate({"more": 1}), Setting.model_validate({"more": 2})),
        (Open().with_more(1), Open().with_more(2)),
        (Pair((1,)), Pair([1])),
        (Pair(b"x"), Pair("x")),
        (Marked("x"), "x"),
        (Counter({1: 2}), Counter({"1": 2})),
        (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
        (deque([1], 1), deque([1], 2)),
        (re.compile("x"), re.compile("x", re.IGNORECASE)),
        (datetime(2020, 1, 1, tzinfo=ZoneInfo("Europe/Paris")), datetime(2020, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))),
        (Decimal("1.0"), Decimal("1.00")),
        (Shade.DARK, Shade.LIGHT),
        ((1,), [[".builtins.tuple"], [1]]),
        ((1,), {"builtins.tuple": [1]}),
    ],
)
def test_values_that_json_would_write_alike_are_other_arguments(one: object, other: object) -> None:
    keys = [key_of(make(2), [], {"x": value}) for value in (one, other, copy.deepcopy(one))]
    assert None not in keys
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


def test_who_is_given_secrets_or_what_can_be_walked_once_is_called_each_time_and_nothing_is_walked() -> None:
    once = iter([1, 2])
    items = (item for item in (1, 2))
    for value in (SecretStr("x"), [SecretStr("x")], Setting(shown=SecretStr("x")), once, items, Setting(shown=once)):
        assert key_of(make(2), [], {"x": value}) is None
    assert [list(once), list(items)] == [[1, 2], [1, 2]]


def held(value: Any) -> Callable[[int], Any]:  # noqa: ANN401  # any value
    return lambda x: (value, x)


def test_what_a_function_holds_on_to_counts_where_it_never_changes() -> None:
    values = [
        *(Shade.DARK, Shade.LIGHT, Decimal(1), Decimal(2), Path("a"), Path("b"), date(2020, 1, 1), date(2020, 1, 2)),
        *(int, float, len, max, json, math, Frozen([1]), Frozen([2])),
    ]
    keys = [key_of(held(value), [], {"x": 1}) for value in values]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert key_of(held([1]), [], {"x": 1}) == key_of(held([2]), [], {"x": 1})


@dataclass(frozen=True)
class Frozen:
    x: list[int]


def test_functions_of_the_same_code_that_take_their_arguments_in_other_ways_are_others() -> None:
    def positions(*x: int) -> object:
        return x

    def names(**x: int) -> object:
        return x

    names.__qualname__ = positions.__qualname__
    assert key_of(positions, [], {}) != key_of(names, [], {})
