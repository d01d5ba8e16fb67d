"""Adapter files: what is wrong with one is said all at once, each with its field and its remedy."""

from typing import Any

import pytest

from orchestration.adapters import parse_adapter
from orchestration.errors import AdapterError
from tests.core.adapters import SMALL, small


def problems_of(**changes: object) -> list[str]:
    with pytest.raises(AdapterError) as caught:
        small(**changes)
    assert len(caught.value.paths) == len(caught.value.problems)
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"program": None}, "program: is missing"),
        ({"promt": {}}, "promt: there is no such field (did you mean prompt?)"),
        ({"prompt": {"channel": "stdinn"}}, "must be one of stdin, file, argument; got 'stdinn' (did you mean stdin?)"),
        ({"prompt": {"channel": "stdin", "limt": 5}}, "prompt.limt: there is no such field (did you mean limit?)"),
        ({"arguments": ["{modell}"]}, "there is no placeholder {modell} (did you mean model?)"),
        ({"arguments": ["{model}"]}, "{model} is not always there (put it into a part with `if: model`)"),
        ({"arguments": [{"if": "modell", "add": ["x"]}]}, "there is no condition 'modell' (did you mean model?)"),
        ({"arguments": [{"add": ["x"]}]}, "a part without a condition"),
        ({"arguments": [{"if": "model", "ad": ["x"]}]}, "there is no such field (did you mean add?)"),
        ({"arguments": ["--x={args}"]}, "{args} stands for whole words"),
        ({"arguments": ["{prompt_file}"]}, "{prompt_file} is used, and the prompt goes by stdin"),
        ({"arguments": ["{option.x}"]}, "there is no placeholder {option.x}"),
        ({"prompt": {"channel": "file"}}, "{prompt_file} is nowhere"),
        ({"permission": {"write": ["-w"]}}, "{permission} is nowhere"),
        ({"permission": {"wirte": ["-w"]}}, "permission"),
        ({"session": {"resume": True}}, "{session} is nowhere"),
        ({"session": {"assigned": True, "resume": False}}, "{new_session} is nowhere"),
        ({"own_retries_off": {"arguments": ["-q"]}}, "{own_retries_off} is nowhere"),
        ({"environment": {"set": {"A": "{sesion}"}}}, "environment.set.A: there is no placeholder {sesion} here"),
        ({"answer": {"event": "txt", "path": "text"}}, "no rule of `events` gives the word 'txt' (did you mean text?)"),
        ({"answer": None}, "nothing says where the answer is"),
        ({"answer": {"event": "text", "path": "a..b"}}, "answer.path: 'a..b' is no path"),
        ({"answer": {"event": "text", "path": "t", "reduce": "concat_since"}}, "`concat_since` needs `since`"),
        (
            {"events": [{"is": "text", "match": {"type": "x"}}], "errors": []},
            "no rule says which event is the final one",
        ),
        ({"events": [{"is": "text", "match": {"type": {"regex": "("}}}]}, "no regular expression"),
        ({"errors": [{"failure": "rate_limit", "class": "x", "text": "y"}]}, "did you mean rate_limited?"),
        ({"errors": [{"failure": "lost", "class": "x", "text": "y"}]}, "errors[0].failure: lost is what only orch"),
        ({"usage": {"event": "end", "requests": "count"}}, "usage: a source that counts nothing"),
        ({"errors": [{"failure": "auth", "class": "x"}]}, "a class that nothing fits"),
        ({"errors": [{"failure": "auth", "class": "x", "match": {"a": 1}, "text": "y"}]}, "`match` needs `event`"),
        (
            {"errors": [{"failure": "auth", "class": "x", "text": "y", "reset": {"text": "z"}}]},
            "give `after` (a time from now) or `at` (a moment), one of them",
        ),
        ({"linger": "long"}, "linger: must be a number; got 'long'"),
        ({"usage": {"event": "end", "scope": "thread"}}, "must be one of step, run, session"),
        ({"version": {"tested": "newest"}}, "version.tested"),
    ],
)
def test_a_mistake_is_named_with_its_field_and_its_remedy(changes: dict[str, Any], words: str) -> None:
    assert words in "\n".join(problems_of(**changes))


def test_all_mistakes_are_named_at_once() -> None:
    found = problems_of(promt=1, linger="long", events=[{"is": "two words"}], end="never")
    assert len(found) == 4


def test_the_path_of_a_problem_leads_into_what_was_written() -> None:
    with pytest.raises(AdapterError) as caught:
        small(events=[*SMALL["events"], {"is": "x", "match": {"a": {"regex": "("}}}])
    assert caught.value.paths == (("events", 4, "match"),)


def test_one_value_may_stand_where_a_list_may() -> None:
    adapter = parse_adapter({**SMALL, "program": ["helper", "helper2"], "accepted_exit_codes": 3}, "small")
    assert adapter.form.program.alternatives == ("helper2",)
    assert adapter.form.accepted_exit_codes == (3,)


@pytest.mark.parametrize(
    ("version", "tested"),
    [
        ("2.1.0", True),
        ("2.1.329", True),
        ("2", True),
        ("2.2", False),
        ("1.9.9", False),
        ("2.1.5-beta", True),
        ("x", None),
    ],
)
def test_a_version_is_in_the_tested_range_or_not(version: str, tested: bool | None) -> None:
    adapter = small(version={"tested": ">=2, <2.2, !=2.1.7"})
    assert adapter.is_tested(version) is tested
    assert small().is_tested(version) is None


def test_the_version_is_found_in_what_is_printed() -> None:
    assert small().version_of("helper-cli 0.169.0 (rust)\n") == "0.169.0"
    assert small(version={"pattern": "v(?P<version>[0-9a-f]+)"}).version_of("built v12ab today") == "12ab"
    assert small().version_of("no number") is None
