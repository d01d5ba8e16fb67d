"""The programs of the example that survey a tree, on the inputs that they would stumble over."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import circles, functions, index, links, measure
from agents.facts import save
from agents.imports import imported, resolve
from agents.tree import kind_of, list_files


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the agents work."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -- the list of files -----------------------------------------------------------------------------------------------


def test_an_index_is_made_of_the_second_of_two_equal_readings(here: Path) -> None:
    tree = here / "tree"
    tree.mkdir()
    (tree / "a.py").write_text("x = 1")
    assert index.take_stock(tree) == index.TRY_AGAIN
    (tree / "a.py").write_text("x = 2")  # somebody is still writing
    assert index.take_stock(tree) == index.TRY_AGAIN
    assert index.take_stock(tree) == 0
    (tree / "a.py").write_text("x = 3")
    assert [(file.path, file.kind, file.lines) for file in index.indexed()] == [("a.py", "python", 1)]
    assert index.content_of(index.indexed()[0]) == b"x = 2"


def test_a_file_that_changes_while_it_is_copied_keeps_the_copy_before(here: Path) -> None:
    (here / "a.py").write_text("x = 1")
    files = [index.read(here, "a.py")]
    assert index.copy(here, files) is None
    (here / "a.py").write_text("x = 2")
    assert index.copy(here, files) == "a.py"
    assert index.content_of(files[0]) == b"x = 1"


def test_the_walk_leaves_out_generated_files_links_and_our_own_results(here: Path) -> None:
    for name in ("a.md", "b/c.sh", "__pycache__/x.pyc", ".hidden/y", "out/report.html", ".orchestration/state.db"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("x")
    (here / "link.md").symlink_to("a.md")
    assert list_files(here)[1] == ["a.md", "b/c.sh"]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.PY", b"x", "python"),
        ("run", b"#!/usr/bin/env python3.12\n", "python"),
        ("run", b"#!/bin/sh -e\n", "shell"),
        ("run", b"#!/usr/bin/perl\n", "other text"),
        ("run", b"", "other text"),
        ("a.md", b"\0", "binary"),
    ],
)
def test_the_kind_of_a_file_follows_from_its_name_or_its_first_line(name: str, content: bytes, kind: str) -> None:
    assert kind_of(name, content) == kind


# -- measuring -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("python", "", (0, 0, 0, 0)),
        ("python", '"""Doc\n\nstring."""\n# a\n\nx = """\n# not a comment\n"""\n', (8, 3, 3, 2)),
        ("python", "def broken(:\n# a\n", (2, 1, 1, 0)),
        ("markdown", "# A\r\n\r\nb", (3, 0, 2, 1)),
        ("sql", "-- a\nselect 1; -- b\n", (2, 1, 1, 0)),
        ("other text", "a\x0cb\u2028c\n", (1, 0, 1, 0)),
    ],
)
def test_lines_are_code_words_or_blank(kind: str, text: str, expected: tuple[int, ...]) -> None:
    counted = measure.count(kind, text.encode())
    assert (counted.lines, counted.code, counted.words, counted.blank) == expected


@given(st.binary(max_size=300), st.sampled_from(["python", "markdown", "shell", "c"]))
def test_the_sorts_of_lines_add_up_whatever_is_in_a_file(content: bytes, kind: str) -> None:
    counted = measure.count(kind, content)
    assert counted.code + counted.words + counted.blank == counted.lines
    assert counted.code >= 0
    assert counted.lines == len(content.split(b"\n")) - (content.endswith(b"\n") or not content)


def test_functions_are_measured_without_docstrings_and_inner_ones_by_themselves() -> None:
    source = '''
class Shape:
    def area(self):
        """One.

        Two."""
        def inner(x):
            return x if x else 1 or 2
        for side in self.sides:
            if side and side > 1:
                return [s for s in side if s]
        return inner(0)

async def empty(): "Only a docstring."
'''
    found = {one.name: (one.lines, one.complexity) for one in functions.functions_of("a.py", ast.parse(source))}
    assert found == {"Shape.area": (6, 6), "Shape.area.inner": (1, 3), "empty": (0, 1)}


@given(st.lists(st.integers(0, 200)))
def test_every_function_is_in_one_class_of_the_histogram(lengths: list[int]) -> None:
    classes = functions.histogram(lengths)
    assert sum(one["count"] for one in classes) == len(lengths)


# -- imports ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "is_package", "expected"),
    [
        ("import a.b", False, [["a.b"]]),
        ("from . import c", False, [["p.q.c", "p.q"]]),
        ("from . import c", True, [["p.q.m.c", "p.q.m"]]),
        ("from ..x import c", False, [["p.x.c", "p.x"]]),
        ("def f():\n    import late", False, []),
        ("if typing.TYPE_CHECKING:\n    import a", False, []),
        ("try:\n    import a\nexcept ImportError:\n    pass", False, [["a"]]),
    ],
)
def test_imports_that_run_with_their_module_are_found(code: str, is_package: bool, expected: list[list[str]]) -> None:
    assert list(imported(ast.parse(code), "p.q.m", is_package=is_package)) == expected


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("agents.a", "ex.agents.a"),
        ("lib", "src.lib"),
        ("json", None),
        ("nothing", None),
        ("ex.agents.b", "ex.agents.b"),
    ],
)
def test_a_name_means_a_module_from_the_top_below_src_or_beside_its_importer(target: str, found: str | None) -> None:
    modules = {"ex.agents.a", "ex.agents.b", "src.lib", "ex.json"}
    assert resolve(target, "ex.agents.b", modules) == found


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"))))
def test_components_are_the_groups_that_reach_each_other(edges: dict[str, set[str]]) -> None:
    graph = {name: {target for target in edges.get(name, set()) if target != name} for name in "abcdef"}
    reach = {name: _reachable(graph, name) for name in graph}
    expected = {tuple(sorted(b for b in graph if b in reach[a] and a in reach[b])) for a in graph}
    assert {tuple(group) for group in circles.components(graph)} == expected


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


# -- links -----------------------------------------------------------------------------------------------------------


def test_links_in_code_and_comments_are_no_links() -> None:
    text = "[a](x.md)\n```sh\n[b](y.md)\n```\n<!-- [c](z.md)\n-->\n"
    text += "`[d](w.md)` ![e](<a b.png> 'title')\n[f]: ref.md\n[^1]: note"
    assert list(links.links(links.prose(text))) == [(1, "x.md"), (7, "a b.png"), (8, "ref.md")]


def test_anchors_are_those_that_the_headings_make() -> None:
    text = "# A `b` C!\n## Same\n## Same\nUnder\n-----\n### [Link](x.md) & more ##\n<a id='own'></a>\n"
    text += "| t |\n|---|\n- x\n---\n"
    assert links.anchors(text.split("\n")) == {"a-b-c", "same", "same-1", "under", "link--more", "own"}


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("b.md", None),
        ("b.md#part-one", None),
        ("#here", None),
        ("../a.md", None),
        ("/docs/b.md", None),
        ("../docs", None),
        ("with%20space.md", None),
        ("c.py#L10", None),
        ("b.md#nothing", "no heading of docs/b.md makes #nothing"),
        ("B.md", "no such file in the tree"),
        ("../../other.md", "leads out of the tree"),
    ],
)
def test_a_link_leads_somewhere_or_says_why_not(here: Path, target: str, fault: str | None) -> None:
    files = {
        "a.md": "",
        "docs/b.md": "# Part one\n",
        "docs/with space.md": "",
        "docs/c.py": "",
        "docs/d.md": "# Here\n",
    }
    for name, text in files.items():
        (here / index.SNAPSHOT / name).parent.mkdir(parents=True, exist_ok=True)
        (here / index.SNAPSHOT / name).write_text(text)
    entries = [{"path": name, "kind": "markdown", "size": 0, "lines": 0, "sha256": ""} for name in files]
    save("index", {"files": entries})
    assert links.Checker().fault("docs/d.md", target) == fault
