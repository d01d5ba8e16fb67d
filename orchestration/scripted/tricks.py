"""The tricks: named scripts for what agents do right and wrong, each as short as it can be.

`trick: NAME` is a step, so that a backlog can be rehearsed against one. The tests play every trick under every policy.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

SECRET = "SCRIPTED_SECRET"  # noqa: S105  # the name of a variable: what the tricks called `leaks…` tell
WORK = "scripted-{task}.txt"
"""The file that a trick writes which does its work."""

_BEGIN = {"say": "I look at the files."}
_WORK = {"write": {"path": WORK, "content": "done by attempt {attempt}\n"}}
_USAGE = {"usage": {"input": 1200, "cached": 800, "output": 90, "cost_usd": 0.01}}
_GOOD = {"final": {"text": "It is done."}}
_TROUBLE = {"event": {"type": "error", "error": {"kind": "rate_limited", "message": "429, I try again"}}}
_ALL = (_BEGIN, _WORK, _USAGE, _GOOD)


def _failed(kind: str, error: str) -> tuple[Any, ...]:
    return (_BEGIN, {"final": {"verdict": "failed", "kind": kind, "error": error}})


HONEST: Mapping[str, Sequence[Any]] = {
    "works": _ALL,
    "works_slowly": (_BEGIN, {"wait": 0.5}, _WORK, _USAGE, _GOOD),
    "works_through_a_loader": ("reexec", *_ALL),
    "fails": _failed("other", "I could not do it."),
    "fails_without_a_word": ({"exit": 1},),
    "fails_first": ({"fail_first": 1}, *_ALL),
    "fails_twice_first": ({"fail_first": 2}, *_ALL),
    "retries_by_itself": (_BEGIN, _TROUBLE, {"wait": 0.05}, _TROUBLE, _WORK, _USAGE, _GOOD),
    "begins_anew": (*_failed("overloaded", "529: overloaded"), {"event": {"type": "turn"}}, _WORK, _USAGE, _GOOD),
    "forgets_the_session": ("forget", *_ALL),
}

LYING: Mapping[str, Sequence[Any]] = {
    "claims_without_work": (_BEGIN, _GOOD),
    "exits_0_saying_nothing": ({"exit": 0},),
    "answers_nothing": ({"final": {"text": ""}},),
    "has_no_final_event": (_BEGIN, _WORK, {"exit": 0}),
    "good_but_exit_1": (*_ALL, {"exit": 1}),
    "fails_then_is_good": (*_failed("overloaded", "529: overloaded"), _WORK, _USAGE, _GOOD),
    "good_then_fails": (*_ALL, {"final": {"verdict": "failed", "error": "I found out that it is not done."}}),
    "failed_but_exit_0": (*_failed("other", "I could not do it."), {"exit": 0}),
}

ENDING: Mapping[str, Sequence[Any]] = {
    "crashes": (_BEGIN, {"crash": "SEGV"}),
    "crashes_after_final": (*_ALL, {"crash": "ABRT"}),
    "is_killed_in_a_line": (_BEGIN, "half_line", {"crash": "KILL"}),
    "hangs_from_the_start": ("hang",),
    "hangs_midway": (_BEGIN, {"think": "Let me see."}, "hang"),
    "hangs_after_final": (*_ALL, "hang"),
    "hangs_after_failed_final": (*_failed("other", "I could not do it."), "hang"),
    "hangs_deaf_after_final": ({"on_term": "ignore"}, *_ALL, "hang"),
    "babbles_for_ever": ({"hang": {"every": 0.05}},),
    "ignores_term": ({"on_term": "ignore"}, _BEGIN, "hang"),
    "exits_0_at_term": ({"on_term": {"code": 0}}, _BEGIN, "hang"),
    "finishes_at_term": ({"on_term": {"code": 0}}, *_ALL, "hang"),
}

WRITING: Mapping[str, Sequence[Any]] = {
    "floods": (_BEGIN, {"flood": 3}, _WORK, _GOOD),
    "floods_stderr": (_BEGIN, {"flood": {"megabytes": 3, "to": "stderr", "form": "noise"}}, _WORK, _GOOD),
    "long_line": (_BEGIN, {"line": 5}, _WORK, _GOOD),
    "long_line_of_noise": (_BEGIN, {"line": {"megabytes": 5, "form": "noise"}}, _WORK, _GOOD),
    "noise_between": ("noise", _BEGIN, {"noise": "[1, 2"}, _WORK, "noise", _GOOD, {"noise": "bye"}),
    "noise_only": ({"noise": {"text": "a banner", "times": 20}}, {"exit": 0}),
    "half_line": (_BEGIN, _WORK, "half_line", {"exit": 0}),
    "half_final": (_BEGIN, _WORK, {"half_line": "final"}, {"exit": 0}),
    "split_utf8": ("split_utf8", _WORK, _GOOD),
    "bad_utf8": (_BEGIN, "bad_utf8", _WORK, _GOOD),
    "unknown_events": (
        {"event": {"type": "weather.changed", "final": True, "nested": {"type": "result", "ok": False}}},
        _BEGIN,
        {"event": {"kind": "no type at all"}},
        _WORK,
        _GOOD,
    ),
    "writes_to_stderr": ({"stderr": "warning: a new version is there"}, *_ALL),
    "reads_stdin_slowly": ({"stdin": "slow"}, *_ALL),
    "ignores_stdin": ({"stdin": "ignore"}, *_ALL),
    "closes_stdin": ({"stdin": "close"}, *_ALL),
}

REFUSED: Mapping[str, Sequence[Any]] = {
    "rate_limited": (_BEGIN, {"rate_limit": 1}),
    "rate_limited_until": (_BEGIN, {"rate_limit": {"reset": 1, "form": "time"}}),
    "rate_limited_until_epoch": (_BEGIN, {"rate_limit": {"reset": 1, "form": "epoch"}}),
    "rate_limited_without_reset": (_BEGIN, "rate_limit"),
    "rate_limit_hidden": (_BEGIN, {"rate_limit": {"reset": 1, "hidden": True}}),
    "rate_limited_first": ({"attempts": [[_BEGIN, {"rate_limit": 1}], list(_ALL)]},),
    "auth_error": _failed("auth", "401: the key is not valid"),
    "context_overflow": _failed("context_overflow", "the prompt is longer than the context"),
    "max_turns": _failed("max_turns", "the maximum of turns is reached"),
    "out_of_budget": _failed("budget", "the maximum of money is spent"),
    "overloaded": _failed("overloaded", "529: overloaded"),
    "permission_refused": (_BEGIN, "refuse", {"final": {"text": "I was not allowed to write."}}),
}

LEAVING: Mapping[str, Sequence[Any]] = {
    "leaves_child": ({"leave": "child"}, *_ALL),
    "leaves_session": ({"leave": "session"}, *_ALL),
    "leaves_daemon": ({"leave": "daemon"}, *_ALL),
    "leaves_nohup": ({"leave": "nohup"}, *_ALL),
    "leaves_deaf_daemon": ({"leave": {"how": "daemon", "deaf": True}}, *_ALL),
    "leaves_many": ({"leave": {"how": "session", "count": 10}}, *_ALL),
    "holds_stdout": ({"leave": {"how": "daemon", "holds_stdout": True}}, *_ALL),
    "hangs_with_children": ({"leave": {"how": "daemon", "deaf": True}}, {"leave": "session"}, _BEGIN, "hang"),
    "hangs_in_a_tool": (_BEGIN, {"run": {"command": "sleep 60", "timeout": 60}}),
    "hangs_behind_a_loader": ("reexec", _BEGIN, "hang"),
}

TELLING: Mapping[str, Sequence[Any]] = {
    "leaks": ({"leak": SECRET}, *_ALL),
    "leaks_split": ({"leak": {"name": SECRET, "split": True}}, *_ALL),
    "leaks_on_stderr": ({"leak": {"name": SECRET, "to": "stderr"}}, *_ALL),
    "leaks_split_on_stderr": ({"leak": {"name": SECRET, "to": "stderr", "split": True}}, *_ALL),
    "leaks_as_noise": ({"leak": {"name": SECRET, "to": "noise", "split": True}}, *_ALL),
    "leaks_in_answer": (_BEGIN, _WORK, {"leak": {"name": SECRET, "to": "answer"}}, "final"),
    "leaks_in_output": ({"leak": {"name": SECRET, "to": "output"}}, *_ALL),
    "leaks_in_error": ({"leak": {"name": SECRET, "to": "answer"}}, {"final": "failed"}),
}

TRICKS: Mapping[str, Sequence[Any]] = {**HONEST, **LYING, **ENDING, **WRITING, **REFUSED, **LEAVING, **TELLING}
"""Every trick by its name: the steps of a script."""
