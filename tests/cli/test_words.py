"""Durations, counts, lists and tables, as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.render.clean import cells
from cli.render.tables import MIN_LAST, Cell, table
from cli.render.words import count, counted, duration, hours, listed, painted


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0.0s"),
        (0.04, "0.0s"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (61, "1m 01s"),
        (3599.4, "59m 59s"),
        (3599.6, "1h 00m"),
        (3660, "1h 01m"),
        (90_000, "25h 00m"),
    ],
)
def test_a_duration_is_written_in_the_largest_fitting_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_counts_and_lists_are_words() -> None:
    assert (count(1, "task"), count(2, "task"), count(0, "entry", "entries")) == ("1 task", "2 tasks", "0 entries")
    assert listed("ABCDEFG", 3) == "A, B, C and 4 more"
    assert counted({"failed": 1, "success": 2}) == "2 done, 1 failed"
    assert counted({}) == "no tasks"
    assert (hours(1.0), hours(2.5), hours(0.25), hours(10)) == ("1h", "2.5h", "0.25h", "10h")


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    assert painted("x", "red", on=True) == "\x1b[31mx\x1b[0m"
    assert painted("x", "red", on=False) == painted("x", None, on=True) == "x"


def test_columns_are_aligned_in_cells() -> None:
    assert table(("ID", "TITLE"), [("A", "one"), ("中文", "two")]).splitlines() == [
        "ID    TITLE",
        "A     one",
        "中文  two",
    ]


def test_colours_do_not_move_the_columns() -> None:
    plain = table(("A", "B", "C"), [(Cell("x", "red"), Cell("long", "green"), "z")])
    coloured = table(("A", "B", "C"), [(Cell("x", "red"), Cell("long", "green"), "z")], colour=True)
    for code in (1, 31, 32, 0):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == plain


@given(st.lists(st.tuples(st.text(max_size=10), st.text(max_size=60)), min_size=1), st.integers(0, 80))
def test_a_table_fits_the_terminal_as_far_as_it_can(rows: list[tuple[str, str]], width: int) -> None:
    lines = table(("A", "B"), rows, width=width).split("\n")
    assert len(lines) == len(rows) + 1
    first = max(cells(line.split("  ")[0]) for line in lines)
    assert all(cells(line) <= max(width, first + 2 + MIN_LAST + 40) for line in lines)
    assert table(("A", "B"), rows).count("…") == sum(text.count("…") for row in rows for text in row)
