"""Server-sent events as bytes, and places in a run as ids: whatever is put in comes out at the reader's side."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import UsageError
from orchestration.server.cursor import MAX_LENGTH, Cursor, Place
from orchestration.server.frames import HEARTBEAT, frame
from tests.world.serving import parsed

numbers = st.integers(0, 10**18 - 1)
places = st.builds(Place, numbers, numbers, numbers, numbers)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(max_size=20), st.text(max_size=20)), max_size=5))
def test_any_texts_arrive_whole_and_one_by_one(sent: list[tuple[str, str, str]]) -> None:
    stream = b"".join(frame(data, number=number, name=name) + HEARTBEAT for data, number, name in sent)
    arrived = parsed(stream)
    assert [message.data.encode("utf-8", "replace") for message in arrived] == [
        re.sub("\r\n|\r", "\n", data).encode("utf-8", "replace") for data, _, _ in sent
    ]


@pytest.mark.parametrize(
    "data", ["a\nb", "a\r\nb", "a\rb", "\n", " lead", "data: x", ": no comment", "id: 7\n\nevent: x"]
)
def test_line_ends_and_fields_in_the_data_stay_in_the_data(data: str) -> None:
    (message,) = parsed(frame(data, number="1"))
    assert message.data == data.replace("\r\n", "\n").replace("\r", "\n")
    assert (message.id, message.name) == ("1", "message")


def test_an_id_or_name_cannot_break_out_of_its_line() -> None:
    (message,) = parsed(frame("x", number="1\ndata: forged\r\0", name="a\nid: 9"))
    assert (message.data, message.id, message.name) == ("x", "1data: forged", "aid: 9")


@given(st.builds(Cursor, numbers, st.dictionaries(numbers, places, max_size=5)))
def test_a_place_in_a_run_survives_being_an_id(cursor: Cursor) -> None:
    text = str(cursor)
    assert re.fullmatch(r"[0-9.;=]+", text)
    again = Cursor.parse(text)
    assert again.seq == cursor.seq
    assert again.places == {began: place for began, place in cursor.places.items() if place != Place()}


def test_where_nothing_was_printed_the_id_is_the_number_of_the_event() -> None:
    assert str(Cursor(17, {12: Place()})) == "17"
    assert str(Cursor(17, {12: Place(3, 340)})) == "17;12=3.340.0.0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "-1",
        "1.5",
        "1;",
        "1;2",
        "1;2=3",
        "1;2=3.4.5",
        "1;2=3.4.5.6.7",
        "1;2=a.0.0.0",
        "9" * 19,
        "1" + ";" * MAX_LENGTH,
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no place"):
        Cursor.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_is_refused(text: str) -> None:
    try:
        Cursor.parse(text)
    except UsageError:
        return
    assert re.match(r"\s*[0-9]", text)
