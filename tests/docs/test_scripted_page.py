"""The page on the scripted agent against its vocabulary, its tricks, and what the tests expect of them."""

import re

import pytest

from orchestration.scripted.steps import CHOOSING, DOING, ENDING, SAYING, Step
from orchestration.scripted.tricks import TRICKS
from tests.docs.pages import codes_in, read, table_of
from tests.world.scripted_rows import ROWS

PAGE = read("docs/scripted.md")


@pytest.mark.parametrize(
    ("heading", "steps"),
    [("What it says", SAYING), ("What it does", DOING), ("How it ends", ENDING), ("What is played", CHOOSING)],
    ids=str,
)
def test_the_page_names_every_step_with_its_fields(heading: str, steps: dict[str, Step]) -> None:
    rows = {codes_in(row["step"])[0]: row["fields"] for row in table_of(PAGE, heading, "step")}
    assert list(rows) == list(steps)
    for word, cell in rows.items():
        step, outside = steps[word], re.sub(r"\([^)]*\)", "", cell)
        if step.whole:
            assert cell == "any"
            continue
        assert codes_in(outside) == list(step.fields), word
        assert re.findall(r"\*\*`(\w+)`\*\*", cell) == ([step.short] if step.short else []), word


def test_the_choices_that_the_page_names_are_those_that_there_are() -> None:
    for heading, steps in {"What it says": SAYING, "What it does": DOING, "How it ends": ENDING}.items():
        for row in table_of(PAGE, heading, "step"):
            told = {choice for part in re.findall(r"\(([^)]*)\)", row["fields"]) for choice in codes_in(part)}
            fields = steps[codes_in(row["step"])[0]].fields.values()
            known = {choice for field in fields for choice in field.choices}
            assert told <= known | {"write", "SEGV"}, row["step"]


def test_the_page_lists_every_trick_and_what_comes_of_it() -> None:
    rows = {codes_in(row["trick"])[0]: codes_in(row["comes of it"])[0] for row in table_of(PAGE, "Tricks", "trick")}
    assert rows == {name: ROWS[name][0] for name in TRICKS}
