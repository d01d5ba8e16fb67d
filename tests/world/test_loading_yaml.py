"""YAML as the loader reads it: text stays text, bounds hold, and all ways to the same values give the same values."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from orchestration.loading import yamltext
from orchestration.loading.scalars import Numeral, numbers_in, plain
from orchestration.loading.yamlerrors import NotYaml
from orchestration.loading.yamltext import MAX_DEPTH, Document, parse, parse_whole

# -- what text means ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["no", "yes", "on", "off", "y", "2024-01-01", "1:30", "012", "0x1f", "0o17", "1_000"])
def test_what_older_yaml_takes_for_something_else_is_text(text: str) -> None:
    assert parse(f"key: {text}").value == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-5", -5), ("1.5", 1.5), ("true", True), ("False", False), ("~", None), ("null", None), ("", None)],
)
def test_numbers_truths_and_nothing_are_what_they_look_like(text: str, value: object) -> None:
    found = parse(f"key: {text}").value["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "number"), [("1.10", 1.1), ("1e3", 1000.0), ("+5", 5), (".5", 0.5), ("-0", 0)])
def test_a_number_whose_digits_would_be_lost_keeps_them_until_someone_wants_the_number(
    text: str, number: float
) -> None:
    document = parse(f"key: [{text}]")
    assert document.value == {"key": [text]}
    assert document.has_numerals
    assert numbers_in(document.value) == {"key": [number]}


@pytest.mark.parametrize("text", ["12345678901234567890", "1e9999", "-1e9999"])
def test_a_number_that_no_number_can_hold_stays_text(text: str) -> None:
    assert numbers_in(plain(text)) == text


@pytest.mark.parametrize("key", ["on", "yes", "true", "1", "2024-01-01", "null"])
def test_keys_are_always_text(key: str) -> None:
    assert parse(f"{key}: x").value == {key: "x"}


def test_quoted_text_and_text_in_blocks_is_text_whatever_it_looks_like() -> None:
    text = "a: '1'\nb: \"true\"\nc: |\n  1\nd: >-\n  null\ne: !!str 1.50\n"
    assert parse(text).value == {"a": "1", "b": "true", "c": "1\n", "d": "null", "e": "1.50"}
    assert not parse(text).has_numerals


# -- structure ------------------------------------------------------------------------------------------------------


def test_aliases_and_merges_mean_what_they_stand_for() -> None:
    text = "x: &x {a: 1, b: 2}\ny: *x\nz:\n  <<: *x\n  b: 3\nw: {<<: [*x, {c: 4}]}\n"
    expected = {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 2}, "z": {"b": 3, "a": 1}, "w": {"a": 1, "b": 2, "c": 4}}
    assert parse(text).value == expected


def test_in_quotes_the_sign_for_merging_is_a_key_like_others() -> None:
    assert parse("a: {'<<': x}\n").value == {"a": {"<<": "x"}}


def test_an_alias_of_text_and_of_a_list_can_be_used_many_times() -> None:
    assert parse("- &a x\n- &b [1]\n- *a\n- [*b, *b]\n").value == ["x", [1], "x", [[1], [1]]]


def test_the_deepest_allowed_nesting_is_read_and_one_more_is_not() -> None:
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH).value is not None
    with pytest.raises(NotYaml, match="nested deeper"):
        parse("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
@pytest.mark.parametrize("in_c", [True, False])
def test_absurd_nesting_is_refused_before_it_can_crash_the_interpreter(opening: str, in_c: bool) -> None:
    with pytest.raises(NotYaml, match=r"nested deeper|plain text"):
        parse(opening * 50_000, in_c=in_c)


def test_values_are_counted_with_aliases_in_full() -> None:
    ten_thousand = "[" + ", ".join(["x"] * 9_999) + "]"
    assert parse(f"a: &a {ten_thousand}\nb: [{', '.join(['*a'] * 98)}]").value is not None
    with pytest.raises(NotYaml, match="more than 1,000,000 values"):
        parse(f"a: &a {ten_thousand}\nb: [{', '.join(['*a'] * 100)}]")


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "~"])
def test_a_text_without_anything_is_nothing(text: str) -> None:
    assert parse(text).value is None


# -- lines ----------------------------------------------------------------------------------------------------------

NESTED = """\
# a comment
tasks:
  - id: a
    retry:
      max: 3
      on: [timeout,
           crashed]
  - title: b
    id: c
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("tasks",), 2),
        (("tasks", 0), 3),
        (("tasks", 0, "retry", "max"), 5),
        (("tasks", 0, "retry", "on", 0), 6),
        (("tasks", 0, "retry", "on", 1), 7),
        (("tasks", 1, "id"), 9),
        (("tasks", 1, "missing", "deeper"), 8),
        (("tasks", 7), 2),
    ],
)
def test_every_value_has_a_line_and_what_is_not_there_has_that_of_what_is_around_it(
    path: tuple[str | int, ...], line: int
) -> None:
    assert parse(NESTED, every_line=True).line_of(path) == line
    assert parse(NESTED, every_line=True, first_line=11).line_of(path) == line + 10


def test_ids_and_tasks_of_a_list_have_lines_without_asking_for_all() -> None:
    document = parse(NESTED)
    assert document.line_of(("tasks", 0, "id")) == 3
    assert document.line_of(("tasks", 1)) == 8
    assert document.line_of(("tasks", 1, "id")) == 9


def test_the_line_of_a_field_is_found_under_its_other_spelling() -> None:
    document = parse("id: a\ntags: [x]\n", every_line=True)
    assert document.line_of(("labels", 0), {"labels": "tags"}) == 2


# -- all ways give the same -----------------------------------------------------------------------------------------

VALUES = (
    *("", "a", "a b", "1", "1.50", "~", "true", "no", "1:30", "'x'", '"x y"', "[a, b]", "[]", "[ ]", "[1.50, x]", "a]"),
    *(
        "{a: b}",
        "{a: [1.50, no], b: {}}",
        "{a: b,c: [ x ,y]}",
        "{a:b}",
        "[a b, c]",
        "[[a], {b: c}]",
        "[a: b]",
        "{a: }",
        "{a}",
        "[-5, - 5]",
        "[-5]",
        "{a: 1, a: 2}",
        "{a: {b: [c, 1]}}",
        "|\n  x\n  y",
        "|+\n  x\n\n",
        "|+",
        ">-\n  x\n  y",
        "\n  - a\n  - b",
        "\n- a\n- 1.5",
    ),
    *(
        "\n  A: 1\n  B: x y",
        "\n  A: 1.50",
        "\n  A:\n    B: c",
        "a\n  b",
        "a#b",
        "a # c",
        "é x",
        "x:y",
        "&x a",
        "!!str 1",
    ),
    *("http://x.y/z", "\n  - a\n\n  - b", "\n  # c\n  - a", "\n    - a\n    - b: c", "$x", "(x) y", "-x", "+1", "1e3"),
    *(
        "x  ",
        "\n - 'a: b'",
        "[a,\n  b]",
        "[a,]",
        "'x\n  y'",
        "<<",
        "\n  <<: {A: 1}",
        "\n",
        "\n  - - a",
        "😀",
        "\n x",
        "x\n\n",
    ),
    *(
        "\n- id: x\n- y: 1\n  id: z",
        "&b [c]\n",
        "\n  - a b\n  - 'c'",
        "\n  id: x\n  y: 1",
        "a, b",
        "a\n\n  b",
        "\n  a\n  b",
    ),
)
ODD_VALUES = (
    *(
        "x: y",
        "x:",
        "!t x",
        "\n  - a\n   - b",
        "\n  A: 1\n   B: 2",
        "*x",
        "\n  A: 1\n  A: 2",
        "x\n---\n",
        "x\n...",
        "x\n%a",
    ),
    *(
        "--- a",
        "\t",
        "a\tb",
        "a\x85b: c",
        "a\u2028b",
        "\u00a0x",
        "'first\nb: c\nd'",
        '"first\nc: d"',
        "[x,\nb: c]",
        "{x,\nid: y}",
    ),
    *(
        "? a",
        "'x",
        '"x',
        "[a",
        "{a",
        "@x",
        "`x",
        "%x",
        "- a",
        "|\nx",
        "|2\n x",
        ">1\n  x\n y",
        "&x\n",
        "!!str",
        "!!int 3",
    ),
)
ODD_LINES = (
    "# c",
    "  # c",
    "---",
    "...",
    "%x",
    "- a",
    "  - a",
    "  a",
    "a",
    "  a: b",
    '"q": x',
    "<<: x",
    "é: x",
    "? x",
    ": x",
    " ",
)
KEYS = ("id", "title", "a", "b", "tasks", "on", "x-y", "true")


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Mappings as people write them, with a few lines that do not belong there."""
    lines = []
    oddity = draw(st.integers(0, 9))  # where something odd is, if anywhere
    for i, key in enumerate(draw(st.lists(st.sampled_from(KEYS), max_size=6, unique=oddity != 6))):
        value = draw(st.sampled_from(ODD_VALUES if oddity == i else VALUES))
        lines.append(f"{key}:{value}" if value.startswith("\n") else f"{key}: {value}")
        if oddity == i and draw(st.booleans()):
            lines.append(draw(st.sampled_from(ODD_LINES) | st.text("ab:# -[]{},'\"|>&*!%@`\t~01.\\?\n", max_size=12)))
    return draw(st.sampled_from(["", "", "", "\n", "# x\n", "  # y\n\n", "---\n", " "])) + "\n".join(lines) + "\n"


def outcome(text: str, read: Callable[..., Document], **how: bool) -> object:
    """Everything that can be seen of reading a text: values with their types and the lines of ids, or the error."""
    try:
        document = read(text, **how)
    except NotYaml as error:
        return error.message, error.line, error.hint
    value = document.value
    ids = [("id",), *((key, i, "id") for key in KEYS for i in range(3))] if isinstance(value, dict) else []
    shown = [path for path in ids if has_id(value, path)]
    return typed(value), document.has_numerals, document.line_of(()), [document.line_of(path) for path in shown]


def is_error(found: object) -> bool:
    return isinstance(found, tuple) and len(found) == len(("message", "line", "hint"))


def has_id(value: object, path: tuple[str | int, ...]) -> bool:
    for step in path:
        inside = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if not inside and not (isinstance(value, dict) and step in value):
            return False
        value = value[step]  # type: ignore[index]  # it is one of the two
    return True


def typed(value: object) -> object:
    """A value in which 1 and True and '1' are three things."""
    if isinstance(value, dict):
        return [(key, typed(item)) for key, item in value.items()]
    return [typed(item) for item in value] if isinstance(value, list) else (type(value), value)


@given(texts())
@example("id: |+\na: {b: c}\n")
@example('a: "first\nb: c\nd"\n')
def test_the_shortcut_gives_what_the_parser_gives(text: str) -> None:
    assert outcome(text, parse) == outcome(text, parse_whole)


def test_the_shortcut_is_taken_for_what_most_files_look_like() -> None:
    text = (
        "id: a\ntitle: A title\nlabels: [a, b]\nverify:\n  - make test\nenv:\n  A: b\nretry: {max: 3, on: [timeout]}\n"
    )
    assert yamltext._quickly(text, in_c=True) is not None  # noqa: SLF001  # otherwise it could be dead without a sign


@given(texts())
def test_both_parsers_give_the_same_values(text: str) -> None:
    in_c, in_python = (outcome(text, parse_whole, in_c=how) for how in (True, False))
    if is_error(in_c) or is_error(in_python):  # they differ in what they say, and about a few texts that are wrong
        return
    assert in_c == in_python


PLAIN_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), PLAIN_VALUES, max_size=5))
def test_what_pyyaml_writes_is_read_back(value: dict[str, Any]) -> None:
    written = yaml.safe_dump(value)
    if any(unwritable(text) for text in texts_in(value)):
        return
    assert numbers_in(parse(written).value) == value


def texts_in(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *texts_in(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    return [value] if isinstance(value, str) else []


def unwritable(text: str) -> bool:
    """What no file of ours holds, and what only older YAML has to put in quotes."""
    return "\0" in text or text == "<<" or isinstance(plain(text), Numeral | int | float)


@given(st.text())
def test_no_text_gives_anything_but_a_document_or_an_error_with_a_line(text: str) -> None:
    for in_c in (True, False):
        found = outcome(text, parse, in_c=in_c)
        assert isinstance(found, tuple)
        if is_error(found):
            assert 1 <= found[1] <= len(text.splitlines()) + 1, found


def test_the_parser_in_c_is_the_one_that_is_used_where_it_was_built() -> None:
    assert yaml.__with_libyaml__ == ("yaml._yaml" in sys.modules)
