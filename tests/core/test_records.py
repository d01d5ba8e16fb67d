"""Records are dataclasses to everybody: each is held to the one that `dataclasses` makes of the same class."""

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from typing import Any, ClassVar

import pytest

from orchestration import records

Maker = Callable[..., Any]
MAKERS: list[Maker] = [dataclasses.dataclass, records.dataclass]


def point(make: Maker, **options: Any) -> Any:  # noqa: ANN401  # a class
    @make(slots=True, **options)
    class Point:
        """Somewhere."""

        kind: ClassVar[str] = "point"
        x: int
        y: float = 0.5
        tags: list[str] = field(default_factory=list)
        hidden: str = field(default="h", repr=False)
        beside: int = field(default=0, compare=False)
        counted: int = field(default=0, hash=False)

        def far(self) -> float:
            return self.x + self.y

    return Point


def derived(make: Maker, **options: Any) -> Any:  # noqa: ANN401  # a class
    base = point(make, **options)

    @make(slots=True, **options)
    class Named(base):  # type: ignore[misc, valid-type]  # made just now
        """With a name."""

        name: str = "?"

    return Named


def outcome(call: Callable[[], Any]) -> Any:  # noqa: ANN401  # what came of it
    try:
        return call()
    except Exception as error:  # noqa: BLE001  # whichever; its kind is compared
        return type(error)


LOOKS: list[tuple[str, Callable[[Any], Any]]] = [
    ("fields", lambda c: [(f.name, f.repr, f.compare, f.hash, f.init) for f in dataclasses.fields(c)]),
    ("match", lambda c: c.__match_args__),
    ("slots", lambda c: (c.__slots__, hasattr(c(1), "__dict__"))),
    ("doc", lambda c: (c.__doc__, c.__name__, c.__qualname__, c.__module__)),
    ("class variable", lambda c: c.kind),
    ("repr", lambda c: repr(c(1, 2.0, ["a"]))),
    ("by name", lambda c: repr(c(x=1, beside=3, y=2.0))),
    ("missing", lambda c: c()),
    ("too many", lambda c: c(*range(20))),
    ("unknown", lambda c: c(1, z=2)),
    ("own lists", lambda c: c(1).tags is c(1).tags),
    ("method", lambda c: c(1).far()),
    ("equal", lambda c: (c(1) == c(1), c(1) == c(2), c(1) != c(1), c(1, beside=1) == c(1, beside=2), c(1) == 1)),
    ("hash", lambda c: hash(c(1, tags=())) == hash(c(1, tags=(), beside=4, counted=5))),
    ("in a set", lambda c: len({c(1, tags=()), c(1, tags=()), c(2, tags=())})),
    ("hashable", lambda c: c.__hash__ is None),
    ("no hash", lambda c: hash(c(1))),
    ("replaced", lambda c: repr(dataclasses.replace(c(1), y=3.0))),
    ("as a dictionary", lambda c: dataclasses.asdict(c(1))),
    ("as a tuple", lambda c: dataclasses.astuple(c(1))),
    ("copied", lambda c: (copy.copy(c(1)) == c(1), copy.deepcopy(c(1, tags=["x"])) == c(1, tags=["x"]))),
    ("set", lambda c: setattr(c(1), "x", 2)),
    ("delete", lambda c: delattr(c(1), "x")),
    ("is one", lambda c: (dataclasses.is_dataclass(c), dataclasses.is_dataclass(c(1)))),
]


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("made", [point, derived])
@pytest.mark.parametrize(("what", "look"), LOOKS, ids=[what for what, _ in LOOKS])
def test_it_is_as_dataclasses_would_have_it(
    made: Callable[..., Any], what: str, look: Callable[[Any], Any], frozen: bool, shown: bool
) -> None:
    real, ours = (made(make, frozen=frozen, repr=shown) for make in MAKERS)
    wanted, got = outcome(lambda: look(real)), outcome(lambda: look(ours))
    if what in {"repr", "by name", "replaced"} and not shown:
        assert str(got).split(" at ")[0] == str(wanted).split(" at ")[0]
    else:
        assert got == wanted


@records.dataclass(frozen=True, slots=True)
class Checked:
    """One that checks, and computes one of its fields."""

    n: int
    square: int = field(init=False)
    seen: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError(self.n)
        object.__setattr__(self, "square", self.n**2)


def test_fields_may_be_left_to_what_is_called_in_the_end() -> None:
    assert (Checked(3).square, Checked(3).seen) == (9, [])
    with pytest.raises(ValueError, match="-1"):
        Checked(-1)
    with pytest.raises(TypeError):
        Checked(3, 9)  # type: ignore[call-arg]  # that is what is wrong


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("made", [point, derived])
def test_a_maker_makes_what_the_class_makes(made: Callable[..., Any], *, frozen: bool) -> None:
    record = made(records.dataclass, frozen=frozen)
    make = records.maker(record)
    calls: list[Callable[[Any], Any]] = [
        lambda c: c(1),
        lambda c: c(1, 2.0, ["a"], "b", 3, 4),
        lambda c: c(x=1, beside=3, y=2.0),
        lambda c: c(),
        lambda c: c(*range(20)),
        lambda c: c(1, z=2),
        lambda c: c(1).tags is c(1).tags,
        lambda c: c(1).far(),
        lambda c: hash(c(1, tags=())),
        lambda c: setattr(c(1), "x", 2),
        lambda c: hasattr(c(1), "__dict__"),
    ]
    for call in calls:
        assert outcome(lambda call=call: call(make)) == outcome(lambda call=call: call(record))  # type: ignore[misc]  # a default binds it
    assert type(make(1)) is record
    assert repr(make(1)) == repr(record(1))


def test_a_maker_ends_as_the_class_does() -> None:
    make = records.maker(Checked)
    assert (make(3), make(3).square, make(3).seen) == (Checked(3), 9, [])
    with pytest.raises(ValueError, match="-1"):
        make(-1)
    assert pickle.loads(pickle.dumps(make(3))) == Checked(3)  # noqa: S301  # our own


def test_they_travel() -> None:
    assert pickle.loads(pickle.dumps(Checked(3))) == Checked(3)  # noqa: S301  # our own


def test_what_is_derived_from_one_without_a_decorator_is_of_its_own_class_and_may_have_more() -> None:
    class More(Checked):
        pass

    more = More(4)
    assert (type(more), more.square) == (More, 16)
    more.extra = "x"  # type: ignore[attr-defined]  # it has a dictionary
    assert more.extra == "x"  # type: ignore[attr-defined]  # as above
    with pytest.raises(FrozenInstanceError):
        more.n = 5  # type: ignore[misc]  # frozen in any case
    assert more != Checked(4)


@pytest.mark.parametrize("made", [point, derived])
def test_there_is_nothing_beside_its_fields(made: Callable[..., Any]) -> None:
    frozen, open_ = (made(records.dataclass, frozen=frozen)(1) for frozen in (True, False))
    for one, error in ((frozen, FrozenInstanceError), (open_, AttributeError)):
        with pytest.raises(error, match="'z'"):
            one.z = 2
        with pytest.raises(error, match="z"):
            del one.z


@pytest.mark.parametrize("made", [point, derived])
def test_how_it_is_called_can_be_looked_up(made: Callable[..., Any]) -> None:
    def told(kind: Any) -> list[tuple[str, object]]:  # noqa: ANN401  # a class
        parameters = inspect.signature(kind).parameters.values()
        return [(one.name, "…" if "factory" in repr(one.default) else one.default) for one in parameters]

    real, ours = (made(make) for make in MAKERS)
    wanted = [(name, [] if default == "…" else default) for name, default in told(real)]
    assert told(ours) == wanted
    assert told(type("More", (ours,), {})) == wanted
    assert told(type("Own", (ours,), {"__init__": lambda self, q: None})) == [("q", inspect.Parameter.empty)]  # noqa: ARG005
    ours(1)
    assert told(ours) == wanted, "also when one was made"


def test_methods_of_its_own_stay() -> None:
    @records.dataclass(frozen=True, slots=True)
    class Own:
        n: int

        def __repr__(self) -> str:
            return "mine"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    assert (repr(Own(1)), Own(1) == Own(2), hash(Own(1))) == ("mine", True, 7)


def test_one_that_holds_itself_can_be_shown() -> None:
    @records.dataclass(slots=True)
    class Node:
        other: Any = None

    node = Node()
    node.other = node
    assert repr(node).endswith("Node(other=...)")


def test_one_without_fields_is_like_any_other_of_it() -> None:
    @records.dataclass(frozen=True, slots=True)
    class Empty:
        """Nothing."""

    assert Empty() == Empty()
    assert len({Empty(), Empty()}) == 1
    assert copy.deepcopy(Empty()) == Empty()


def test_what_it_cannot_make_is_refused() -> None:
    with pytest.raises(TypeError, match="slots"):
        records.dataclass(slots=False)
    with pytest.raises(TypeError, match="keywords only"):

        @records.dataclass(slots=True)
        class Wrong:
            n: int = field(kw_only=True)
