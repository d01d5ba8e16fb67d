"""Adapter files that are wrong: each is told with its file, its line and a remedy when the project is loaded."""

from pathlib import Path

import pytest

from orchestration.errors import Problem
from orchestration.loading import load_project
from tests.world.unseen import GOOD, HERE, Unseen, make

ADAPTER = (HERE / "unseen_adapter.yaml").read_text(encoding="utf-8")
FILE = "agents/magpie.yaml"
END = ADAPTER.count("\n") + 1

# what stands there, what is written instead; the line that is told, and a part of what is said
SLIPS = [
    ("linger: 1", "lingr: 1", "lingr:", "did you mean linger?"),
    ("program: magpie\n", "", "description:", "program: is missing"),
    ("{channel: stdin}", "{channel: pipe}", "prompt:", "must be one of stdin, file, argument"),
    ("'^turn\\.'", "'^turn(['", "is: worked", "no regular expression"),
    ('"{args}"', '"{arg}"', "arguments:", "did you mean args?"),
    ("if: model", "if: modl", "arguments:", "did you mean model?"),
    ("default: child", "default: kid", "loader: {", "none of the choices"),
    ("event: said, path: text", "event: sad, path: text", "answer:", "did you mean said?"),
    ("'\"session.id\"'", "'session..id['", "reported:", "is no path"),
    ("failure: rate_limited", "failure: ratelimit", "failure: ratelimit", "did you mean rate_limited?"),
    (", since: called", "", "answer:", "needs `since`"),
    ("linger: 1", "linger: soon", "linger:", "must be a number"),
    ("good_when: {'\"run.state\"': completed}", "show: x", "events:", "which event is the final one"),
    ("set: {", "set: {ORCH_ATTEMPT_ID: mine, ", "set: {", "is told by orch itself"),
    ("pass: [MAGPIE_HOME]", "pass: [MAGPIE_HOME=x]", "pass:", "MAGPIE_HOME=x"),
    ("linger: 1", "linger: 1\nprogram: other", "program: other", "stands twice"),
    ("linger: 1", "linger: 1\n---\nprogram: other", "---", "a file of its own"),
    ("linger: 1", "linger: !!python/name:os.system", "linger:", "is not allowed here"),
]

WHOLE = [b"", b"- a\n", b"hello\n", b"null\n", b"\x00\xff", "description: Mägpie\n".encode("latin-1"), b"program: [a\n"]


@pytest.fixture
def unseen(tmp_path: Path) -> Unseen:
    made = make(tmp_path)
    made.task("T", GOOD)
    made.write()
    return made


def problems(unseen: Unseen) -> tuple[Problem, ...]:
    return load_project(unseen.root, check=False).problems


@pytest.mark.parametrize(("right", "wrong", "line", "said"), SLIPS)
def test_a_slip_is_told_with_its_line_and_what_to_do(
    unseen: Unseen, right: str, wrong: str, line: str, said: str
) -> None:
    assert right in ADAPTER
    text = ADAPTER.replace(right, wrong, 1)
    (unseen.root / FILE).write_text(text, encoding="utf-8")
    first = problems(unseen)[0]
    expected = next(number for number, one in enumerate(text.splitlines(), 1) if line in one and one[0] not in "#v")
    assert (first.file, first.line) == (FILE, expected)
    assert said in f"{first.message} {first.hint}"
    assert first.hint


@pytest.mark.parametrize("data", WHOLE)
def test_a_file_that_is_no_adapter_is_told_with_its_place(unseen: Unseen, data: bytes) -> None:
    (unseen.root / FILE).write_bytes(data)
    (problem,) = problems(unseen)
    assert (problem.file, problem.line) == (FILE, 1)
    assert problem.hint


def test_a_file_that_is_not_there_is_told_where_it_is_named(unseen: Unseen) -> None:
    (unseen.root / FILE).unlink()
    (problem,) = problems(unseen)
    assert (problem.file, problem.line) == ("orchestration.yaml", 5)
    assert "does not exist" in problem.message
    assert "docs/adapters.md" in (problem.hint or "")


def test_an_adapter_of_several_agents_is_reported_once(unseen: Unseen) -> None:
    (unseen.root / FILE).write_text(ADAPTER.replace("linger", "lingr"), encoding="utf-8")
    unseen.write({"one": {}, "two": {"model": "x"}})
    assert len(problems(unseen)) == 1


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ({"options": {"loadr": "exec"}}, "did you mean loader?"),
        ({"options": {"loader": "magic"}}, "must be one of exec, child, fork"),
        ({"permission": "all"}, "offered: read, write"),
        ({"adapter": "codex", "options": {"speed": 3}}, "unknown option 'speed'"),
        ({"adapter": "agents/codx.yaml"}, "does not exist"),
        ({"adapter": "../elsewhere.yaml"}, "outside of the project"),
        ({"adapter": "codx"}, "did you mean codex?"),
    ],
)
def test_what_an_agent_cannot_be_set_to_is_told_where_it_is_written(
    unseen: Unseen, agent: dict[str, object], said: str
) -> None:
    unseen.write({"other": agent})
    (problem,) = problems(unseen)
    assert problem.file == "orchestration.yaml"
    assert problem.line is not None
    assert said in f"{problem.message} {problem.hint}"


@pytest.mark.slow
def test_validate_lists_them_all(unseen: Unseen) -> None:
    (unseen.root / FILE).write_text(ADAPTER.replace("linger", "lingr").replace("path: text", "path: te..xt"), "utf-8")
    code, _, err = unseen.orch("validate")
    assert code == 2
    assert f"{FILE}:33: " in err
    assert f"{FILE}:57: lingr: there is no such field (did you mean linger?)" in err
