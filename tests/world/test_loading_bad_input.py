"""Whatever is wrong with a project's files is reported at once, with place and remedy, and changes nothing."""

from pathlib import Path

import pytest

from orchestration.errors import InvalidProject
from orchestration.loading import load_project
from tests.bad_inputs import BAD_INPUTS, BadInput, Expected, lay_out


@pytest.mark.parametrize("row", BAD_INPUTS, ids=lambda row: row.name.replace(" ", "_"))
def test_a_wrong_project_is_refused_with_place_and_remedy(row: BadInput, tmp_path: Path) -> None:
    lay_out(tmp_path, row.files)
    before = names_below(tmp_path)
    with pytest.raises(InvalidProject) as caught:
        load_project(tmp_path)
    problems = caught.value.problems
    listed = "\n".join(map(str, problems))
    assert [(problem.file, problem.line) for problem in problems] == [(e.file, e.line) for e in row.problems], listed
    for problem, expected in zip(problems, row.problems, strict=True):
        assert expected.message in problem.message, listed
        assert expected.hint in (problem.hint or ""), listed
    assert caught.value.exit_code == 2
    assert all(len(problem.message) < 400 for problem in problems), listed
    assert names_below(tmp_path) == before


def test_the_table_is_long_enough_and_names_every_row_once() -> None:
    assert len(BAD_INPUTS) >= 40
    assert len({row.name for row in BAD_INPUTS}) == len(BAD_INPUTS)
    assert all(isinstance(problem, Expected) for row in BAD_INPUTS for problem in row.problems)


def names_below(root: Path) -> list[str]:
    return sorted(str(path) for path in root.rglob("*"))
