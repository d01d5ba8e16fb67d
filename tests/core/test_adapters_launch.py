"""From a task to what is started: words, input, variables, and what is refused before anything runs."""

from typing import Any

import pytest

from orchestration.adapters import PROMPT_FILE, Adapter
from orchestration.errors import LaunchError
from tests.core.adapters import launch, preset, small

OPTIONS = {"level": {"choices": ["low", "high"]}, "fast": {"default": False}, "host": {"required": True}}
WORDS = ["run", {"if": "option.level", "add": ["-l", "{option.level}"]}, {"if": "option.fast", "add": ["-f"]}]


def refused(adapter: Adapter, **about: Any) -> str:  # noqa: ANN401  # what a launch or an agent takes
    with pytest.raises(LaunchError) as caught:
        adapter.invocation(launch(**about))
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_parts_stand_only_where_their_condition_holds() -> None:
    adapter = small()
    assert adapter.invocation(launch()).argv == ("helper", "run")
    assert adapter.invocation(launch(model="m")).argv == ("helper", "run", "--model", "m")


def test_the_prompt_goes_to_standard_input_and_nowhere_else() -> None:
    started = small().invocation(launch("schön \ud800"))
    assert started.stdin == "schön ?".encode()
    assert started.prompt_file is None
    assert "schön" not in " ".join(started.argv)


def test_the_prompt_goes_into_a_file_of_the_attempt() -> None:
    adapter = small(prompt={"channel": "file"}, arguments=["--file={prompt_file}"])
    started = adapter.invocation(launch("text"))
    assert started.prompt_file == (f"/f/{PROMPT_FILE}", "text")
    assert started.argv == ("helper", f"--file=/f/{PROMPT_FILE}")
    assert started.stdin is None


def test_braces_that_are_no_placeholder_stay() -> None:
    adapter = small(arguments=["-c", '{"a": {}}', "{folder}"], environment={"set": {"CONFIG": '{"in": "{workspace}"}'}})
    started = adapter.invocation(launch())
    assert started.argv == ("helper", "-c", '{"a": {}}', "/f")
    assert started.environment == {"CONFIG": '{"in": "/w"}'}


def test_what_stands_in_a_value_is_not_replaced_again() -> None:
    adapter = small(prompt={"channel": "argument"}, arguments=["--", "{prompt}"])
    assert adapter.invocation(launch("use {home} and {args}")).argv[-1] == "use {home} and {args}"


def test_a_project_may_name_its_own_program_with_first_words() -> None:
    started = small(version={}).invocation(launch(program=["node", "cli.js"]))
    assert started.argv == ("node", "cli.js", "run")
    assert started.program == "node"
    assert started.version_argv == ("node", "cli.js", "--version")
    assert small().invocation(launch(program=["node", "cli.js"])).version_argv == ()


def test_extra_words_stand_where_the_file_says_or_at_the_end() -> None:
    assert small().invocation(launch(args=["-x", "y"])).argv == ("helper", "run", "-x", "y")
    adapter = small(arguments=["run", "{args}", "-"])
    assert adapter.invocation(launch(args=["-x"])).argv == ("helper", "run", "-x", "-")


def test_options_are_given_defaulted_and_checked() -> None:
    adapter = small(options=OPTIONS, arguments=[*WORDS, "{option.host}"])
    started = adapter.invocation(launch(options={"level": "low", "fast": True, "host": "h"}))
    assert started.argv == ("helper", "run", "-l", "low", "-f", "h")
    assert "option 'host' is needed" in refused(adapter)
    wrong = refused(adapter, options={"levle": 1, "level": "mid", "host": "h"})
    assert "unknown option 'levle' (did you mean level?)" in wrong
    assert "option 'level' must be one of low, high; got 'mid'" in wrong


def test_permissions_are_those_that_the_file_offers() -> None:
    adapter = small(permission={"read": ["-r"], "write": ["-w"]}, arguments=["{permission}", "run"])
    assert adapter.invocation(launch(permission="read")).argv == ("helper", "-r", "run")
    assert adapter.invocation(launch()).argv == ("helper", "-w", "run")
    assert "permission 'all' is not offered by this agent (offered: read, write)" in refused(adapter, permission="all")
    assert "not offered" in refused(small(), permission="read")
    assert small().invocation(launch()).warnings == ()


@pytest.mark.parametrize(
    ("prompt", "limits", "fits"),
    [
        ("é" * 10, {"limit": 10}, True),
        ("é" * 11, {"limit": 10}, False),
        ("é" * 6, {"limit": 10, "unit": "bytes"}, False),
        ("x" * 1_048_576, {}, True),
    ],
)
def test_a_prompt_over_the_limit_is_refused_before_anything_runs(
    prompt: str, limits: dict[str, Any], fits: bool
) -> None:
    adapter = small(prompt={"channel": "stdin", **limits})
    if fits:
        assert adapter.invocation(launch(prompt)).stdin == prompt.encode()
    else:
        assert "the prompt has" in refused(adapter, prompt=prompt)


def test_a_prompt_in_an_argument_keeps_to_the_limit_of_the_system() -> None:
    adapter = small(prompt={"channel": "argument"}, arguments=["{prompt}"])
    assert "a word of a command line" in refused(adapter, prompt="x" * 131_072)
    assert len(adapter.invocation(launch("x" * 131_071)).argv[1]) == 131_071
    assert "NUL" in refused(adapter, prompt="a\0b")


def test_what_cannot_be_had_without_harm_is_a_warning() -> None:
    adapter = small(arguments=["run"])
    started = adapter.invocation(launch(model="m", max_turns=3, session="s", own_retries=False))
    assert len(started.warnings) == 4
    assert started.resumed is None


def test_a_session_is_resumed_or_assigned() -> None:
    words = [{"if": "resume", "add": ["-r", "{session}"]}, {"unless": "resume", "add": ["-n", "{new_session}"]}]
    adapter = small(arguments=words, session={"assigned": True, "resume": True})
    fresh = adapter.invocation(launch(new_session="n-1"))
    assert (fresh.argv, fresh.assigned, fresh.resumed) == (("helper", "-n", "n-1"), "n-1", None)
    again = adapter.invocation(launch(session="s-1", new_session="n-1"))
    assert (again.argv, again.assigned, again.resumed) == (("helper", "-r", "s-1"), None, "s-1")


def test_a_session_that_would_be_an_option_is_not_gone_on_with() -> None:
    words = ["go", {"if": "resume", "add": ["{session}"]}, {"unless": "resume", "add": ["-n", "{new_session}"]}]
    adapter = small(arguments=words, session={"assigned": True, "resume": True})
    fresh = adapter.invocation(launch(session="--allow-everything", new_session="n-1"))
    assert (fresh.argv, fresh.assigned, fresh.resumed) == (("helper", "go", "-n", "n-1"), "n-1", None)
    assert fresh.warnings == ("the session '--allow-everything' would be read as an option; it starts afresh",)


def test_own_retries_are_switched_off_by_words_and_variables() -> None:
    off = {"arguments": ["--retries", "0"], "environment": {"RETRIES": "0"}}
    adapter = small(own_retries_off=off, arguments=["{own_retries_off}", "run"])
    quiet = adapter.invocation(launch(own_retries=False))
    assert quiet.argv == ("helper", "--retries", "0", "run")
    assert quiet.environment == {"RETRIES": "0"}
    assert quiet.warnings == ()
    assert adapter.invocation(launch()).argv == ("helper", "run")
    assert adapter.invocation(launch()).environment == {}


@pytest.mark.parametrize("name", ["codex", "claude-code", "opencode", "aider"])
@pytest.mark.parametrize("permission", ["read", "write", "all"])
def test_every_preset_offers_every_permission(name: str, permission: str) -> None:
    started = preset(name).invocation(launch("p", model="m", permission=permission, session="s", new_session="n"))
    assert "m" in started.argv
    assert "p" not in started.argv
    assert not any("{" in word for word in started.argv)


def test_codex_resumes_by_a_word_of_its_own_and_reads_the_prompt_last() -> None:
    argv = preset("codex").invocation(launch(session="s-1", args=["-c", "a=1"])).argv
    assert argv[:3] == ("codex", "exec", "resume")
    assert argv[-4:] == ("-c", "a=1", "s-1", "-")


def test_claude_code_is_told_its_session_its_limits_and_not_to_retry() -> None:
    started = preset("claude-code").invocation(
        launch(new_session="n-1", max_turns=5, max_cost_usd=0.000001, own_retries=False)
    )
    assert "--session-id n-1" in " ".join(started.argv)
    assert "--max-turns 5 --max-budget-usd 0.000001" in " ".join(started.argv)
    assert started.environment["CLAUDE_CODE_MAX_RETRIES"] == "0"


def test_the_whole_prompt_of_a_megabyte_reaches_aider_by_file() -> None:
    started = preset("aider").invocation(launch("x" * 1_000_000))
    assert started.prompt_file is not None
    assert len(started.prompt_file[1]) == 1_000_000
    assert started.stdin is None
