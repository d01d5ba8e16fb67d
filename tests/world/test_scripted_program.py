"""The scripted agent by itself: what it says and does, step by step."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.scripted import TRICKS, program
from orchestration.scripted.tricks import SECRET as SECRET_NAME
from tests.world.scripted import SECRET, lines_until, play, playing, words_for


def test_an_honest_agent_tells_its_session_works_and_says_how_it_came_out(tmp_path: Path) -> None:
    done = play(tmp_path, {"trick": "works"})
    assert [event["type"] for event in done.events] == ["session", "text", "tool", "usage", "result"]
    assert (tmp_path / "scripted-T-1.txt").read_text() == "done by attempt 1\n"
    assert done.of("usage")[0]["usage"] == {
        "input": 1200,
        "cached": 800,
        "cache_write": 0,
        "output": 90,
        "reasoning": 0,
        "requests": 1,
        "cost_usd": 0.01,
    }
    assert (done.code, done.result["ok"], done.result["text"], done.err) == (0, True, "It is done.", b"")


def test_a_failed_final_event_makes_the_exit_code_1_unless_the_script_says_another(tmp_path: Path) -> None:
    assert play(tmp_path, {"final": "failed"}).code == 1
    told = play(tmp_path, {"final": {"kind": "auth", "error": "no key"}}, {"exit": 7})
    assert (told.code, told.result["ok"], told.result["error"]) == (7, False, {"kind": "auth", "message": "no key"})


def test_attempts_play_their_own_lists_and_the_last_one_repeats(tmp_path: Path) -> None:
    script = {"attempts": [[{"say": "one"}], [{"say": "two"}]]}
    said = [play(tmp_path, script, attempt=n).of("text")[0]["text"] for n in (1, 2, 3)]
    assert said == ["one", "two", "two"]


def test_tasks_play_their_own_lists_and_others_play_otherwise(tmp_path: Path) -> None:
    script = {"tasks": {"T-1": [{"say": "mine"}], "otherwise": [{"say": "any"}]}}
    assert play(tmp_path, script).of("text")[0]["text"] == "mine"
    assert play(tmp_path, script, variables={"ORCH_TASK_ID": "T-2"}).of("text")[0]["text"] == "any"


def test_failing_the_first_attempts_leaves_out_the_rest_of_the_script(tmp_path: Path) -> None:
    steps = ({"fail_first": 2}, {"write": {"path": "done", "content": "x"}}, "final")
    assert [play(tmp_path, *steps, attempt=n).code for n in (1, 2)] == [1, 1]
    assert not (tmp_path / "done").exists()
    assert play(tmp_path, *steps, attempt=3).result["ok"]


@pytest.mark.slow
def test_a_draw_depends_on_the_seed_and_on_nothing_else(tmp_path: Path) -> None:
    script = {"one_of": [[{"exit": n}] for n in range(5)]}
    drawn = [play(tmp_path, script, seed=seed).code for seed in range(8)]
    assert drawn == [play(tmp_path, script, seed=seed).code for seed in range(8)]
    assert len(set(drawn)) > 1


def test_a_resumed_session_is_reported_again_and_one_that_is_forgotten_is_not(tmp_path: Path) -> None:
    assert play(tmp_path, "final", options=("--session", "s-1")).of("session")[0]["session"] == "s-1"
    assert play(tmp_path, "forget", "final", options=("--session", "s-1")).result["session"] != "s-1"
    assert play(tmp_path, {"session": "mine"}, "final", options=("--session", "s-1")).result["session"] == "mine"


def test_the_model_is_the_one_that_was_asked_for_or_the_one_of_the_script(tmp_path: Path) -> None:
    assert play(tmp_path, "final", options=("--model", "m")).of("session")[0]["model"] == "m"
    changed = play(tmp_path, {"say": "a"}, {"model": "other"}, "final", options=("--model", "m"))
    assert [event["model"] for event in changed.of("session")] == ["m", "other"]


def test_files_are_written_and_appended_with_the_task_and_the_attempt_in_their_names(tmp_path: Path) -> None:
    play(tmp_path, {"write": {"path": "a/{task}-{attempt}", "content": "{x} 1\n"}}, attempt=3)
    play(tmp_path, {"append": {"path": "a/T-1-3", "content": "2\n"}})
    assert (tmp_path / "a" / "T-1-3").read_text() == "{x} 1\n2\n"


def test_a_command_is_run_and_what_it_printed_is_told(tmp_path: Path) -> None:
    done = play(tmp_path, {"run": "echo there; exit 3"})
    assert done.of("tool")[0] == {
        "type": "tool",
        "name": "shell",
        "input": {"command": "echo there; exit 3"},
        "ok": False,
        "exit_code": 3,
        "output": "there\n",
    }
    assert done.code == 0


@pytest.mark.slow
def test_a_command_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    done = play(tmp_path, {"run": {"command": "sleep 30 & sleep 30; wait", "timeout": 0.3}})
    assert done.of("tool")[0]["exit_code"] == -signal.SIGKILL


def test_values_are_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "out"
    play(tmp_path, {"output": {"version": "1.2", "count": 3}}, variables={"ORCH_OUTPUT": str(path)})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"version": "1.2"}, {"count": 3}]


@pytest.mark.slow
def test_a_prompt_of_a_megabyte_comes_through_whole_also_to_a_slow_reader(tmp_path: Path) -> None:
    prompt = "äöü€\n".encode() * 100_000
    play(tmp_path, {"save_prompt": "prompt"}, prompt=prompt)
    assert (tmp_path / "prompt").read_bytes() == prompt
    slow = {"stdin": {"how": "slow", "rate": 4_000_000}}
    play(tmp_path, slow, {"save_prompt": "slow"}, prompt=prompt)
    assert (tmp_path / "slow").read_bytes() == prompt


def test_whoever_does_not_read_stdin_ends_all_the_same(tmp_path: Path) -> None:
    for how in ("ignore", "close"):
        assert play(tmp_path, {"stdin": how}, "final", prompt=b"x" * 1_000_000).code == 0


def test_a_flood_has_the_size_and_the_number_of_lines_that_were_asked_for(tmp_path: Path) -> None:
    done = play(tmp_path, {"flood": {"megabytes": 2, "line": 500}})
    assert [event["n"] for event in done.of("text")] == list(range(4000))
    assert len(done.out) == 2_000_000 + len(done.out.split(b"\n")[0]) + 1
    on_stderr = play(tmp_path, {"flood": {"megabytes": 0.1, "to": "stderr", "form": "noise"}})
    assert (len(on_stderr.err), on_stderr.out, on_stderr.err.count(b"\n")) == (100_000, b"", 100)


def test_a_long_line_is_one_line_of_that_length(tmp_path: Path) -> None:
    event = play(tmp_path, {"line": 2})
    assert len(event.out.split(b"\n")[1]) == 2_000_000 - 1
    assert event.of("text")[0]["text"].startswith("yyy")
    noise = play(tmp_path, {"line": {"megabytes": 1, "form": "noise"}})
    assert (len(noise.out), noise.out.count(b"\n"), noise.events) == (1_000_000, 1, [])


@pytest.mark.parametrize("of", ["text", "final"])
def test_half_a_line_is_no_json_and_has_no_end(tmp_path: Path, of: str) -> None:
    done = play(tmp_path, {"half_line": of})
    last = done.out.split(b"\n")[-1]
    assert last.startswith(b'{"type":')
    assert [event["type"] for event in done.events] == ["session"]


def test_characters_are_split_over_writes_and_are_whole_together(tmp_path: Path) -> None:
    with playing(tmp_path, {"split_utf8": "ü"}) as child:
        assert child.stdout is not None
        reads = []
        while part := os.read(child.stdout.fileno(), 65_536):
            reads.append(part)
    assert json.loads(b"".join(reads).split(b"\n")[1])["text"] == "ü"
    assert len(reads) > 1


def test_bytes_that_are_no_utf8_come_in_a_line_and_in_an_event(tmp_path: Path) -> None:
    lines = play(tmp_path, "bad_utf8").out.split(b"\n")
    for number in (0, 2):
        with pytest.raises(UnicodeDecodeError):
            lines[number].decode()


def test_noise_unknown_events_and_diagnostics_are_written_as_they_stand(tmp_path: Path) -> None:
    event = {"type": "weather", "n": [1, {"a": None}]}
    done = play(tmp_path, {"noise": {"text": "no json", "times": 3}}, {"event": event}, {"stderr": "oh"})
    assert done.out.count(b"no json\n") == 3
    assert done.events[-1] == event
    assert done.err == b"oh\n"


@pytest.mark.parametrize("form", ["seconds", "time", "epoch"])
def test_a_limit_tells_its_reset_in_the_form_that_was_asked_for(tmp_path: Path, form: str) -> None:
    before = datetime.now(UTC)
    done = play(tmp_path, {"rate_limit": {"reset": "1m", "form": form}})
    error = done.result["error"]
    assert (done.code, error["kind"]) == (1, "rate_limited")
    if form == "seconds":
        assert error["retry_after"] == 60
        return
    at = (
        datetime.fromisoformat(error["resets_at"])
        if form == "time"
        else datetime.fromtimestamp(error["resets_at_epoch"], UTC)
    )
    assert timedelta(seconds=59) < at - before < timedelta(seconds=90)


def test_a_limit_may_have_no_reset_or_a_given_one_or_hide_in_a_success(tmp_path: Path) -> None:
    assert play(tmp_path, "rate_limit").result["error"].keys() == {"kind", "message"}
    given = play(tmp_path, {"rate_limit": "2031-01-02T03:04:05Z"})
    assert given.result["error"]["resets_at"] == "2031-01-02T03:04:05Z"
    hidden = play(tmp_path, {"rate_limit": {"reset": 5, "hidden": True}})
    assert (hidden.code, hidden.result["ok"], hidden.result["limit"]["retry_after"]) == (0, True, 5)


@pytest.mark.slow
def test_an_account_grants_so_many_requests_in_its_window_and_tells_when_it_will_again(tmp_path: Path) -> None:
    step = {"quota": {"path": "account", "requests": 2, "window": 20}}
    played = [play(tmp_path, step, "final") for _ in range(3)]
    assert [one.code for one in played] == [0, 0, 1]
    assert 10 < played[2].result["error"]["retry_after"] <= 20.01
    words = [line.split()[1] for line in (tmp_path / "account").read_text().splitlines()]
    assert words == ["granted", "granted", "refused"]
    soon = {"quota": {"path": "account", "requests": 2, "window": 0.01}}
    time.sleep(0.02)  # the account's window, which passes by itself
    assert play(tmp_path, soon, "final").code == 0


def test_a_refused_permission_is_told_and_stands_in_the_final_event(tmp_path: Path) -> None:
    done = play(tmp_path, {"refuse": "bash"}, "final")
    assert done.of("denied")[0]["what"] == "bash: permission was not granted"
    assert done.result["denials"] == [{"tool": "bash", "reason": "permission was not granted"}]
    assert done.code == 0


@pytest.mark.parametrize("to", ["text", "noise", "stderr", "answer", "output"])
def test_a_secret_is_told_where_the_script_says(tmp_path: Path, to: str) -> None:
    path = tmp_path / "out"
    leak = {"leak": {"name": SECRET_NAME, "to": to, "split": True}}
    done = play(tmp_path, leak, "final", variables={"ORCH_OUTPUT": str(path)})
    places = {
        "text": done.of("text")[0]["text"] if done.of("text") else "",
        "noise": done.out.decode(),
        "stderr": done.err.decode(),
        "answer": done.result["text"],
        "output": path.read_text() if path.exists() else "",
    }
    assert SECRET in places[to]
    assert [name for name, text in places.items() if SECRET in text and name != "noise"] in ([to], [])


def test_a_variable_that_is_not_there_is_told_to_be_missing(tmp_path: Path) -> None:
    assert play(tmp_path, {"leak": "NO_SUCH"}).of("text")[0]["text"] == "The value is (NO_SUCH is not set)."


def test_a_script_waits_for_files_and_gives_up_when_they_do_not_come(tmp_path: Path) -> None:
    with playing(tmp_path, {"say": "here"}, {"wait_for": {"path": "gate-*", "count": 2}}, "final") as child:
        lines_until(child, b"here")
        (tmp_path / "gate-1").touch()
        (tmp_path / "gate-2").touch()
        lines_until(child, b"result")
    vain = play(tmp_path, {"wait_for": {"path": "never", "timeout": 0.05}}, "final")
    assert (vain.code, vain.out) == (70, b"")
    assert b"never in vain" in vain.err


def test_nobody_reading_ends_it_as_it_ends_other_programs(tmp_path: Path) -> None:
    with playing(tmp_path, {"flood": 5}, "final") as child:
        assert child.stdout is not None
        child.stdout.read(10)
        child.stdout.close()
        assert child.wait(20) == -signal.SIGPIPE


def test_wrong_options_and_scripts_end_with_2_before_anything_is_played(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('[{"write": {"path": "x"}}, {"wiat": 2}]')
    wrong = {
        ("--script", "bad.json"): "script[1]: there is no step 'wiat' (did you mean wait?)",
        ("--script", "nowhere.json"): "the script nowhere.json cannot be read",
        ("--script", "[1,"): "the script is no JSON",
        ("--trick", "wurks"): "did you mean works?",
        ("--scirpt", "x"): "there is no option '--scirpt'",
        ("--script",): "--script needs a value",
        (): "say what to play",
    }
    for words, message in wrong.items():
        command = [*program(), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
    assert not (tmp_path / "x").exists()


def test_the_program_can_be_started_by_its_name_and_tells_its_version_and_its_tricks(tmp_path: Path) -> None:
    by_name = [sys.executable, "-m", "orchestration.scripted", "--tricks"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(by_name, cwd=root, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == list(TRICKS)
    version = [*program(), "--version"]
    told = subprocess.run(version, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=30, check=True)
    assert told.stdout.startswith("scripted-agent 1.")


def test_the_program_imports_little_of_the_standard_library_and_nothing_else(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r}); "
        "import orchestration.scripted.__main__; print(*sys.modules)"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    loaded = set(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split())
    ours = {name for name in loaded if name.partition(".")[0] == "orchestration"}
    assert all(name.startswith("orchestration.scripted") for name in ours - {"orchestration"})
    assert not loaded & {"asyncio", "dataclasses", "inspect", "pathlib", "pydantic", "subprocess", "typing", "yaml"}


def test_what_the_words_of_a_test_play_is_a_document(tmp_path: Path) -> None:
    assert json.loads(words_for("final", seed=3)[-1]) == {"seed": 3, "script": [{"lifetime": 40}, "final"]}
    assert tmp_path.is_dir()
