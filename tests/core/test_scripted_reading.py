"""Scripts of the scripted agent: a mistake is found with its place, and what is played is decided before it is."""

import inspect
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.models import ScriptedAgent
from orchestration.scripted import BadScript, document, problems_of
from orchestration.scripted.choosing import chosen
from orchestration.scripted.playing import DEEDS
from orchestration.scripted.reading import MAX_DEPTH, read
from orchestration.scripted.steps import CHOOSING, STEPS
from orchestration.testing import TRICKS, scripted_agent


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (["wiat"], "script[0]: there is no step 'wiat' (did you mean wait?)"),
        (["half-line"], "script[0]: there is no step 'half-line' (did you mean half_line?)"),
        (["half_line", "hangs"], "script[1]: there is no step 'hangs' (did you mean hang?)"),
        ([{"say": "a", "wait": 1}], "script[0]: a step has one word, not 2: say, wait (write one `-` for each)"),
        ([{}], "script[0]: {} is no step (write a word, or a word with a value)"),
        ([["say", "a"]], "script[0]: ['say', 'a'] is no step (write a word, or a word with a value)"),
        (
            7,
            "script: 7 is no list of steps (a step is a word",
        ),
        ([{"write": "a.txt"}], "script[0].write: 'a.txt' is no mapping of its fields (its fields: path, content)"),
        ([{"write": {"pth": "a"}}], "script[0].write: it has no field 'pth' (did you mean path?)"),
        ([{"write": {"content": "a"}}], "script[0].write: `path` is missing"),
        (["say"], "script[0].say: `text` is missing"),
        ([{"say": {"text": None}}], "script[0].say: `text` is missing"),
        ([{"say": True}], "script[0].say: True is no text"),
        ([{"wait": "soon"}], "script[0].wait: 'soon' is no duration; write seconds, or a number with ms, s, m or h"),
        ([{"wait": -1}], "script[0].wait: -1 is out of bounds: at least 0 and at most 86,400"),
        ([{"wait": float("nan")}], "script[0].wait: nan is out of bounds: at least 0 and at most 86,400"),
        ([{"exit": 256}], "script[0].exit: 256 is out of bounds: at least 0 and at most 255"),
        ([{"exit": True}], "script[0].exit: True is no whole number"),
        ([{"exit": 1.5}], "script[0].exit: 1.5 is no whole number"),
        ([{"flood": 10**9}], "script[0].flood: 1000000000 is out of bounds: at least 0 and at most 1,024"),
        ([{"crash": "USR9"}], "script[0].crash: 'USR9' is none of ABRT, BUS, HUP"),
        ([{"leave": {"deaf": "yes"}}], "script[0].leave.deaf: 'yes' is neither true nor false"),
        ([{"rate_limit": "tomorrow"}], "script[0].rate_limit: 'tomorrow' is no duration"),
        ([{"output": "a=b"}], "script[0].output: 'a=b' is no mapping of names to values"),
        ([{"hang": 3}], "script[0].hang: 3 is no mapping of its fields (its fields: every, text)"),
        ([{"trick": "wroks"}], "script[0].trick: there is no trick 'wroks' (did you mean works?)"),
        ([{"trick": ["a"]}], "script[0].trick: there is no trick ['a']"),
        ([{"attempts": "x"}], "script[0].attempts: 'x' is no list of scripts (as in [[…], […]])"),
        (
            [{"attempts": [["final"], ["fnal"]]}],
            "script[0].attempts[1][0]: there is no step 'fnal' (did you mean final?)",
        ),
        ([{"tasks": {"A": [{"exit": -1}]}}], "script[0].tasks.A[0].exit: -1 is out of bounds"),
    ],
    ids=str,
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(script: object, problem: str) -> None:
    (found,) = problems_of(script)
    assert str(found).startswith(problem)
    with pytest.raises(BadScript) as error:
        read(script)
    assert str(found) in str(error.value)


def test_all_mistakes_are_found_at_once_in_their_order() -> None:
    found = problems_of(["a", {"wait": "x"}, {"one_of": [["b"]]}], "agents.a.script")
    assert [problem.where for problem in found] == [
        "agents.a.script[0]",
        "agents.a.script[1].wait",
        "agents.a.script[2].one_of[0][0]",
    ]


def test_lists_within_lists_come_to_an_end() -> None:
    script: list[Any] = ["final"]
    for _ in range(MAX_DEPTH + 1):
        script = [{"attempts": [script]}]
    (problem,) = problems_of(script)
    assert "lists within lists" in str(problem)


def test_a_word_a_value_and_fields_are_three_ways_to_write_a_step() -> None:
    whole = read([{"rate_limit": {"reset": 30}}])
    assert read([{"rate_limit": 30}]) == read([{"rate_limit": "30s"}]) == whole
    assert read(["hang"]) == read([{"hang": None}]) == read([{"hang": True}]) == read([{"hang": {}}]) == read("hang")
    assert read({"say": 5}) == [("say", {"text": "5"})]


def test_durations_and_times_are_understood_as_yaml_gives_them() -> None:
    assert [fields["seconds"] for _, fields in read([{"wait": w} for w in (1, 1.5, "500ms", "2m", "1h")])] == [
        1,
        1.5,
        0.5,
        120,
        3600,
    ]
    at = datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert read([{"rate_limit": at}])[0][1]["reset"] == "2031-01-02T03:04:05+00:00"
    assert json.loads(document([{"rate_limit": at}])) == {
        "seed": 0,
        "script": [{"rate_limit": "2031-01-02T03:04:05+00:00"}],
    }


def words(script: object, task: str = "T", attempt: int = 1, seed: str = "0") -> list[str]:
    return [word for word, _ in chosen(read(script), task, attempt, seed)]


def test_choices_within_choices_become_one_list_of_steps() -> None:
    script = [
        {"think": "hm"},
        {"tasks": {"T": [{"attempts": [["forget"], [{"one_of": [[{"trick": "rate_limited"}]]}]]}]}},
        "final",
    ]
    assert words(script) == ["think", "forget", "final"]
    assert words(script, attempt=2) == ["think", "say", "rate_limit", "final"]
    assert words(script, task="other") == ["think", "final"]


def test_an_attempt_that_fails_first_plays_nothing_of_what_follows() -> None:
    script = [{"say": "a"}, {"fail_first": 1}, {"say": "b"}]
    assert words(script) == ["say", "final", "exit"]
    assert words(script, attempt=2) == ["say", "say"]


def test_draws_spread_over_all_lists_and_are_the_same_for_the_same_seed() -> None:
    script = [{"one_of": [[{"say": "a"}], ["hang"], ["final"]]}]
    drawn = [words(script, f"T{n}")[0] for n in range(60)]
    assert set(drawn) == {"say", "hang", "final"}
    assert drawn == [words(script, f"T{n}")[0] for n in range(60)]
    assert drawn != [words(script, f"T{n}", seed="1")[0] for n in range(60)]


@pytest.mark.parametrize("name", TRICKS)
def test_every_trick_is_a_script_without_a_mistake(name: str) -> None:
    assert problems_of(TRICKS[name]) == []
    assert words([{"trick": name}])


def test_every_step_is_played_with_exactly_the_fields_of_the_vocabulary() -> None:
    assert set(DEEDS) == set(STEPS) - set(CHOOSING)
    for word, deed in DEEDS.items():
        named = list(inspect.signature(deed).parameters)[1:]
        assert named in (list(STEPS[word].fields), ["counts"]), word


def test_every_short_form_names_a_field() -> None:
    assert [word for word, step in STEPS.items() if step.short and step.short not in step.fields] == []


def test_an_agent_is_made_of_steps_and_options_and_mistakes_are_refused() -> None:
    agent = scripted_agent({"say": "hi"}, "final", seed=3, idle_timeout="2s")
    assert isinstance(agent, ScriptedAgent)
    assert (agent.script, agent.seed, agent.idle_timeout) == (({"say": "hi"}, "final"), 3, 2.0)
    with pytest.raises(BadScript, match="did you mean final"):
        scripted_agent("finl")
