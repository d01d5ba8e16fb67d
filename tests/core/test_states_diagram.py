"""The page about states shows the table that the program goes by."""

import pytest

from orchestration.plan import TRANSITIONS, State
from scripts import draw_states


def test_the_page_is_drawn_from_the_table() -> None:
    page = draw_states.PAGE.read_text(encoding="utf-8")
    assert page == draw_states.redrawn(page), "run scripts/draw_states.py"


def test_the_diagram_has_every_state_and_every_move() -> None:
    diagram = draw_states.diagram()
    for state in State:
        assert f" {state}" in diagram
    for row in TRANSITIONS.values():
        for before, after in row.items():
            assert (f"{before} --> {after}:" in diagram) == (before is not after)


def test_a_page_that_is_out_of_date_is_made_anew_and_only_where_it_is_drawn() -> None:
    page = draw_states.PAGE.read_text(encoding="utf-8")
    old = page.replace("waiting --> running: task_started", "waiting --> running: sung")
    assert old != page
    assert draw_states.redrawn(old) == page
    assert draw_states.redrawn(f"mine\n{page}\nmine") == f"mine\n{page}\nmine"


def test_a_page_without_a_place_for_a_drawing_is_refused() -> None:
    with pytest.raises(ValueError, match="no place, or several, for the diagram"):
        draw_states.redrawn("nothing")
