"""Nothing that a terminal would obey survives cleaning, and what people wrote does."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.render.clean import MAX_HELD_BACK, Cleaner, cells, clean, clean_line, clip, clip_middle, last_line, pad

OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

nasty = st.text(
    st.one_of(
        st.sampled_from("\x1b\x9b\x9d\x07\x9c\x90[]\\;?0123456789mHJKhl8P^_X\r\n\t\b\x7f\u202e\ud800"),
        st.characters(),
    ),
    max_size=80,
)


@given(nasty)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert not OBEYED.search(clean(text))


@given(nasty)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_what_people_write_is_left_as_it_is(text: str) -> None:
    assert clean(text) == text


@given(st.lists(nasty, max_size=6))
def test_a_stream_in_chunks_is_as_clean_as_a_whole_text(chunks: list[str]) -> None:
    cleaner = Cleaner()
    shown = "".join([*(cleaner.feed(chunk) for chunk in chunks), cleaner.rest()])
    assert not OBEYED.search(shown)


@given(st.sampled_from(["\x1b[31mred\x1b[0m", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "a\r\nb", "\x1bPq#0\x1b\\x"]))
def test_a_sequence_that_is_cut_anywhere_is_taken_out_whole(text: str) -> None:
    for cut in range(len(text) + 1):
        cleaner = Cleaner()
        assert cleaner.feed(text[:cut]) + cleaner.feed(text[cut:]) + cleaner.rest() == clean(text)


def test_a_sequence_that_never_ends_does_not_hold_the_stream_back() -> None:
    cleaner = Cleaner()
    shown = cleaner.feed("\x1b]0;" + "x" * (MAX_HELD_BACK + 1))
    assert shown.endswith("x" * MAX_HELD_BACK)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b(Bx", "x"),
        ("\x1b]0;never ends", "0;never ends"),
        ("\x1b]0;never ends\nnext", "0;never ends\nnext"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("abc\b\b\bxyz", "abcxyz"),
        ("\u202eevil\u202c", "evil"),
        ("half \ud83d", "half \ufffd"),
        ("tab\tnewline\n", "tab\tnewline\n"),
        ("émoji 🎉 中文", "émoji 🎉 中文"),
    ],
)
def test_what_is_taken_out_and_what_is_left(text: str, left: str) -> None:
    assert clean(text) == left


@given(nasty)
def test_a_cleaned_line_is_one_line(text: str) -> None:
    assert len(clean_line(text).splitlines()) <= 1


def test_the_last_line_is_what_a_progress_bar_would_show() -> None:
    assert last_line("first\n 10%\r 50%\r 90%") == "90%"
    assert last_line("done\n\n  \r\n") == "done"
    assert last_line("") == ""


@given(nasty.map(clean_line), st.integers(0, 50))
def test_a_clipped_text_fits(text: str, width: int) -> None:
    for cut in (clip, clip_middle):
        assert cells(cut(text, width)) <= width
        assert cut(text, cells(text)) == text


@given(st.text("abc中é🎉", max_size=20))
def test_a_padded_text_takes_the_cells_it_should(text: str) -> None:
    assert cells(pad(text, 50)) == 50


def test_wide_characters_take_two_cells_and_marks_none() -> None:
    assert cells("中文") == 4
    assert cells(unicodedata.normalize("NFD", "é")) == 1
    assert clip("中文字", 4) == "中…"


def test_an_id_keeps_its_end_when_it_is_cut() -> None:
    assert clip_middle("pages[12]/translate", 12) == "pages[…slate"
    assert clip_middle("中文字中文", 6) == "中…文"
    assert [clip_middle("TASK-001", width) for width in (0, 1, 2, 3)] == ["", "…", "T…", "T…1"]
