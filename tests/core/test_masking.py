"""Secrets do not survive masking: in texts, values, records and streams, however they are spelled and cut."""

import base64
import json
import re
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.kinds import Failure
from orchestration.masking import MASK, SHORTEST, Masker, spellings
from orchestration.results import CheckResult, Outcome, Usage
from tests.core.outcomes import json_values, outcomes

TOKEN = "sk-ant-Zk4!v+9/q=Ünï"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\nab\n-----END PRIVATE KEY-----\n"

signs = st.sampled_from('ab"\n/ü')
secrets = st.text(signs, min_size=SHORTEST, max_size=9).filter(lambda text: len(text.strip()) >= SHORTEST)
several = st.lists(secrets, min_size=1, max_size=4)


@st.composite
def talks(draw: st.DrawFn) -> tuple[list[str], str]:
    """Secrets, and a text that holds some of them, whole and in parts, beside other things."""
    kept = draw(several)
    whole = st.sampled_from(kept)
    part = whole.flatmap(lambda secret: st.integers(1, len(secret)).map(lambda size: secret[:size]))
    return kept, "".join(draw(st.lists(whole | part | st.text(signs, max_size=3) | st.just("c"), max_size=12)))


def slowly_masked(data: bytes, needles: set[bytes]) -> bytes:
    """What masking means: look at every byte whether it is part of a secret."""
    hidden = [False] * len(data)
    for needle in needles:
        for at in range(len(data) - len(needle) + 1):
            if data[at : at + len(needle)] == needle:
                hidden[at : at + len(needle)] = [True] * len(needle)
    out = bytearray()
    for at, byte in enumerate(data):
        if not hidden[at]:
            out.append(byte)
        elif at == 0 or not hidden[at - 1]:
            out += b"***"
    return bytes(out)


def streamed(masker: Masker, chunks: list[bytes]) -> bytes:
    stream = masker.stream()
    return b"".join([*(stream.feed(chunk) for chunk in chunks), stream.flush()])


def bytes_of(masked: list[str]) -> set[bytes]:
    return {spelling.encode() for secret in masked for spelling in spellings(secret)}


@given(talks())
def test_each_character_of_each_secret_is_masked_and_no_other(talk: tuple[list[str], str]) -> None:
    kept, text = talk
    assert Masker(kept).data(text.encode()) == slowly_masked(text.encode(), bytes_of(kept))
    assert Masker(kept).text(text) == slowly_masked(text.encode(), bytes_of(kept)).decode()


@given(talks())
def test_no_secret_survives(talk: tuple[list[str], str]) -> None:
    kept, text = talk
    masked = Masker(kept).text(text)
    assert not [secret for secret in kept if secret in masked]


@given(talks(), st.data())
def test_where_a_stream_is_cut_makes_no_difference(talk: tuple[list[str], str], data: st.DataObject) -> None:
    kept, text = talk
    raw, masker = text.encode(), Masker(kept)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    chunks = [raw[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert streamed(masker, chunks) == streamed(masker, [raw]) == streamed(masker, [bytes([byte]) for byte in raw])


@given(talks())
def test_a_stream_that_goes_on_gives_what_the_whole_gives(talk: tuple[list[str], str]) -> None:
    kept, text = talk
    masker = Masker(kept)
    assert streamed(masker, [text.encode(), b"; the end"]) == masker.data(text.encode() + b"; the end")


@given(talks())
def test_a_stream_holds_back_only_what_could_be_the_beginning_of_a_secret(talk: tuple[list[str], str]) -> None:
    kept, text = talk
    raw, stream = text.encode(), Masker(kept).stream()
    needles = bytes_of(kept)
    begun = any(needle.startswith(raw[n:]) for n in range(len(raw)) for needle in needles if needle != raw[n:])
    given_out = stream.feed(raw)
    assert begun or given_out == slowly_masked(raw, needles)
    assert slowly_masked(raw + b"\xff", needles).startswith(given_out)


def test_a_line_without_a_beginning_of_a_secret_comes_out_at_once() -> None:
    stream = Masker([TOKEN]).stream()
    assert stream.feed(b"building 1/3\n") == b"building 1/3\n"
    assert stream.feed(b"key: sk-") == b"key: "
    assert stream.feed(b"later\n") == b"sk-later\n"
    assert stream.flush() == b""


@pytest.mark.parametrize("secret", ["\n token-1234\n", " token-1234", KEY, '{\n  "private_key": "abcdefgh"\n}\n'])
def test_a_line_is_not_held_back_for_its_end(secret: str) -> None:
    stream = Masker([secret]).stream()
    for line in (b"a line\n", b'{"type": "result", "ok": true}\n', b"-\r\n", b"done \n\n"):
        assert stream.feed(line) == line


def test_a_secret_split_over_three_chunks_is_masked_once() -> None:
    stream = Masker(["abcdefgh"]).stream()
    assert [stream.feed(b"x abc"), stream.feed(b"de"), stream.feed(b"fgh y")] == [b"x ", b"", b"*** y"]


def test_what_a_killed_process_printed_of_a_secret_is_masked_if_it_is_most_of_it() -> None:
    masker = Masker(["0123456789abcdef"])
    assert streamed(masker, [b"key 0123456789", b"abcde"]) == b"key ***"
    assert streamed(masker, [b"key 01234"]) == b"key 01234"


def test_a_stream_can_be_used_again_after_its_end() -> None:
    stream = Masker(["abcdefgh"]).stream()
    assert stream.feed(b"abcdefgh") + stream.flush() == b"***"
    assert stream.feed(b"abcdefgh") + stream.flush() == b"***"


@pytest.mark.parametrize(
    "secret", [TOKEN, KEY, "pass'word", 'say "hi"\\now', "  padded-token  ", "schlüssel", "a&b<c>d"]
)
def test_a_secret_is_masked_in_whatever_form_it_shows(secret: str) -> None:
    masker = Masker([secret])
    core = secret.strip()
    forms = [secret, core, json.dumps(core), json.dumps(core, ensure_ascii=False), json.dumps(json.dumps(core))]
    forms += [
        quote(core),
        quote(core, safe=""),
        re.sub("%..", lambda c: c[0].lower(), quote(core)),
        core.replace("'", "'\\''"),
    ]
    for before in ("", "x", "xy", "xyz"):
        forms.append(base64.b64encode(f"{before}{core} and more".encode()).decode())
        forms.append(base64.urlsafe_b64encode(f"{before}{core}".encode()).decode())
    for form in forms:
        masked = masker.text(f"<<{form}>>")
        assert MASK in masked
        assert max(map(len, masked.split(MASK))) <= 24, masked  # what stands around it in base64


def test_each_long_line_of_a_key_is_masked_alone_and_its_armour_is_not() -> None:
    masker = Masker([KEY])
    shown = "-----BEGIN PRIVATE KEY-----\r\n  +MIIEvQIBADANBg\r\nab\r\n"
    assert masker.text(shown) == "-----BEGIN PRIVATE KEY-----\r\n  +***\r\nab\r\n"
    assert masker.text(KEY) == f"{MASK}\n"


def test_the_password_of_a_url_is_masked_alone() -> None:
    masker = Masker(["postgres://ada:hunter22@db.example/app?x=1"])
    assert masker.text("connecting as ada with hunter22") == "connecting as ada with ***"


def test_secrets_that_overlap_or_begin_alike_leave_nothing() -> None:
    masker = Masker(["abcdef", "defghi", "abcdefxyz", "abcd"])
    assert masker.text("abcdefghi abcdefxyz abcdx abc") == "*** *** ***x abc"


def test_a_secret_that_is_too_short_is_not_masked_and_is_named() -> None:
    masker = Masker({"PIN": "123", "EMPTY": "", "BLANK": "   \n  ", "TOKEN": "1234"})
    assert masker.ignored == ("PIN", "EMPTY", "BLANK")
    assert masker.text("12 123 1234 12") == "12 123 *** 12"
    assert Masker(["ab"]).ignored == ("1",)


def test_without_secrets_everything_passes_as_the_same_object() -> None:
    masker = Masker({})
    value = {"a": ["text"]}
    assert not masker
    assert masker.value(value) is value
    chunk = bytes(range(256))
    assert masker.stream().feed(chunk) is chunk
    assert Masker({"TOKEN": TOKEN})


def test_a_masker_does_not_tell_what_it_masks() -> None:
    assert repr(Masker([TOKEN])) == "<Masker of 1 secrets>"


def test_binary_output_around_a_secret_stays_as_it_is() -> None:
    noise = bytes(range(256))
    masker = Masker(["schlüssel"])
    assert streamed(masker, [noise + "schlü".encode()[:-1], "schlü".encode()[-1:] + b"ssel" + noise]) == (
        noise + b"***" + noise
    )


def test_bytes_of_a_variable_that_are_no_utf_8_are_masked() -> None:
    raw = b"caf\xe9-token"
    masker = Masker([raw.decode(errors="surrogateescape")])
    assert masker.data(b"<" + raw + b">") == b"<***>"
    assert Masker(["half \ud83d of a sign"]).text("half \ud83d of a sign") == MASK


def test_a_value_keeps_its_shape_and_loses_its_secrets() -> None:
    value = {"plain": [1, 2.5, None, True, ("x token-1 y", b"token-1")], "token-1": {"n": 12345678}}
    assert Masker(["token-1", "12345678"]).value(value) == {
        "plain": [1, 2.5, None, True, ("x *** y", b"***")],
        MASK: {"n": MASK},
    }


@given(json_values)
def test_values_without_secrets_are_equal_after_masking(value: object) -> None:
    assert Masker(["no such thing"]).value(value) == value


def test_a_value_of_any_depth_and_size_is_masked_without_an_error() -> None:
    deep: object = "token-1"
    for _ in range(5000):
        deep = [deep]
    masked = Masker(["token-1"]).value({"deep": deep, "huge": 10**5000})
    assert "token-1" not in repr(masked["deep"])
    assert masked["huge"] == 10**5000


@given(outcomes)
def test_an_outcome_without_secrets_is_equal_after_masking(outcome: Outcome) -> None:
    assert Masker(["no such thing"]).record(outcome) == outcome


def test_an_outcome_is_masked_in_all_its_texts_and_stays_an_outcome() -> None:
    outcome = Outcome(
        failure=Failure.CHECK_FAILED,
        error="said token-1",
        output="token-1",
        outputs={"k": "token-1"},
        checks=(CheckResult("verify", "echo token-1", passed=False, log="token-1"),),
        usage=Usage(raw={"id": "token-1"}),
        prompt="use token-1",
        metadata={"warnings": ["token-1"]},
    )
    masked = Masker(["token-1"]).record(outcome)
    assert masked.failure is Failure.CHECK_FAILED
    assert masked.checks[0] == CheckResult("verify", "echo ***", passed=False, log=MASK)
    assert "token-1" not in json.dumps(masked.to_dict())


@pytest.mark.slow
def test_masking_takes_time_in_proportion_to_the_data() -> None:
    masker = Masker([TOKEN, KEY, "aaaaaaaab"])

    def seconds(size: int) -> float:
        chunks = [b"a" * 1000 + TOKEN.encode()[:9]] * size
        begin = time.process_time()
        streamed(masker, chunks)
        return time.process_time() - begin

    seconds(10)
    assert min(seconds(1000) for _ in range(3)) < 40 * min(seconds(100) for _ in range(3)) + 0.05
