"""How samples are found and run: above all that one which breaks is noticed, and where it stands is said."""

from pathlib import Path

import pytest

from tests.docs.pages import BrokenSample, anchors_of, fences_of, links_of, table_of
from tests.docs.samples import matches, projects_of, run_story, stories_of


def page(*blocks: str) -> str:
    """A document of blocks, each of which is a sample with its comment, if it has one."""
    return "\n\n".join(blocks) + "\n"


def fence(language: str, text: str, comment: str = "") -> str:
    before = f"<!-- {comment} -->\n" if comment else ""
    return f"{before}```{language}\n{text}\n```"


def run_page(text: str, folder: Path) -> None:
    for number, story in enumerate(stories_of(fences_of("page.md", text))):
        place = folder / str(number)
        place.mkdir()
        run_story(story, place)


@pytest.mark.slow
def test_python_that_prints_what_is_shown_passes(tmp_path: Path) -> None:
    run_page(page(fence("python", "print(1)"), fence("text", "1", "prints")), tmp_path)


@pytest.mark.slow
def test_python_that_prints_something_else_breaks(tmp_path: Path) -> None:
    with pytest.raises(BrokenSample, match=r"^page.md:6: the sample does not print this:\n2\n\nbut this:\n1"):
        run_page(page(fence("python", "print(1)"), fence("text", "2", "prints")), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong", ["raise RuntimeError", "raise SystemExit(3)", "1 +", "import warnings; warnings.warn('x')"]
)
def test_python_that_fails_breaks_and_the_sample_is_named(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenSample, match=r"^page.md:6: it ended with exit code [13]"):
        run_page(page(fence("python", "name = 1"), fence("python", wrong, "continues")), tmp_path)


@pytest.mark.slow
def test_python_that_exits_before_another_sample_breaks(tmp_path: Path) -> None:
    with pytest.raises(BrokenSample, match=r"^page.md:1: it ended with exit code 0"):
        run_page(page(fence("python", "raise SystemExit(0)"), fence("python", "print(1)", "continues")), tmp_path)


@pytest.mark.slow
def test_python_has_the_names_of_the_sample_that_it_continues_and_of_no_other(tmp_path: Path) -> None:
    run_page(page(fence("python", "name = 1"), fence("python", "print(name)", "continues")), tmp_path)
    with pytest.raises(BrokenSample, match="NameError"):
        run_page(page(fence("python", "name = 1"), fence("python", "print(name)")), tmp_path / "0")


@pytest.mark.slow
def test_python_that_forgets_to_await_breaks(tmp_path: Path) -> None:
    with pytest.raises(BrokenSample, match="never awaited"):
        run_page(fence("python", "import asyncio\nasyncio.sleep(0)"), tmp_path)


@pytest.mark.slow
def test_a_cell_of_a_notebook_may_await(tmp_path: Path) -> None:
    run_page(page(fence("python", "import asyncio\nawait asyncio.sleep(0)", "notebook")), tmp_path)


@pytest.mark.slow
def test_a_failing_test_in_a_sample_breaks(tmp_path: Path) -> None:
    with pytest.raises(BrokenSample, match=r"^page.md:2: its tests fail"):
        run_page(fence("python", "def test_it():\n    assert False", "file: test_it.py; pytest"), tmp_path)


def test_a_console_that_prints_what_is_shown_passes(tmp_path: Path) -> None:
    console = "$ echo one; echo two >&2\none\ntwo\n$ cat a/file\nhello\n$ false\n$ echo $?\n1"
    run_page(page(fence("text", "hello", "file: a/file"), fence("console", console, "continues")), tmp_path)


@pytest.mark.parametrize(
    ("console", "why"),
    [
        ("$ echo one\ntwo", "echo one does not print this"),
        ("$ echo one\none\nmore", "echo one does not print this"),
        ("$ exit 3", "its last command ended with exit code 3"),
        ("$ exit 3\n$ echo on", "a command before `echo on` ended with exit code 3"),
        ("$ exit 3\n$ echo $?\n4", "does not print this"),
        ("echo one", "a console begins with"),
    ],
)
def test_a_console_that_does_something_else_breaks(console: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenSample, match=r"^page.md:1: ") as broken:
        run_page(fence("console", console), tmp_path)
    assert why in str(broken.value)


@pytest.mark.parametrize(
    ("expected", "actual", "fits"),
    [
        ("a", "a\n", True),
        ("a", "b", False),
        ("a", "ab", False),
        ("a…c", "abbc", True),
        ("a…c", "ab\nc", False),
        ("a\n…\nd", "a\nb\nc\nd", True),
        ("a\n…\nd", "a\nd", True),
        ("a\n…", "a", True),
        ("…\nb", "a\nc", False),
        ("in …", "in 0.1s  ", True),
        ("(a|b)+", "aab", False),
    ],
)
def test_an_ellipsis_stands_for_any_text_of_a_line_or_for_any_lines(expected: str, actual: str, fits: bool) -> None:
    assert matches(expected, actual) is fits


def test_a_word_before_a_sample_that_means_nothing_is_an_error() -> None:
    with pytest.raises(BrokenSample, match=r"page.md:1: unknown words before a sample: contniues"):
        fences_of("page.md", fence("python", "print(1)", "contniues"))


def test_a_fence_that_does_not_end_is_an_error() -> None:
    with pytest.raises(BrokenSample, match=r"page.md:1: the fence does not end"):
        fences_of("page.md", "```python\nprint(1)\n")


def test_fences_in_lists_and_fences_that_hold_fences_are_read() -> None:
    text = page("- one\n\n  ```python\n  if 1:\n      pass\n  ```", "````markdown\n```python\n```\n````")
    assert [(one.language, one.text) for one in fences_of("page.md", text)] == [
        ("python", "if 1:\n    pass\n"),
        ("markdown", "```python\n```\n"),
    ]


def test_a_project_is_the_files_that_continue_one_another() -> None:
    text = page(
        fence("yaml", "a: 1", "file: a.yaml"),
        fence("yaml", "# b.yaml\nb: 1", "continues"),
        fence("yaml", "c: 1", "file: c.yaml"),
        fence("yaml", "nobody: 1"),
    )
    projects = [[one.marks["file"] for one in project] for project in projects_of(fences_of("page.md", text))]
    assert projects == [["a.yaml", "b.yaml"], ["c.yaml"]]


def test_a_table_is_found_below_its_heading_by_its_first_column() -> None:
    text = "# A\n\n| x | y |\n| - | - |\n| 1 | `a\\|b` |\n\n## B\n\n| z |\n| - |\n| 3 |\n\n# C\n\n| z |\n| - |\n| 4 |\n"
    assert table_of(text, "A", "x") == [{"x": "1", "y": "`a|b`"}]
    assert table_of(text, "A", "z") == [{"z": "3"}]
    with pytest.raises(LookupError, match="no table"):
        table_of(text, "C", "x")


def test_links_are_found_with_their_lines_and_code_is_left_out() -> None:
    text = page("a [b](c.md#d) `[no](x.md)` [`e`](f.md)", fence("text", "[no](y.md)"), "[g [h]](#i)")
    assert links_of("page.md", text) == [(1, "c.md#d"), (1, "f.md"), (7, "#i")]


def test_anchors_are_those_of_the_page_that_is_shown() -> None:
    text = "# What *is* it?\n## run_when\n## A `code`, and “more”\n## run_when\n```text\n# no\n```\n"
    assert anchors_of("page.md", text) == {"what-is-it", "run_when", "a-code-and-more", "run_when-1"}
