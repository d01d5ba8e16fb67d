"""Scripts as agents: the JSON protocol with real scripts, and the two examples of the documentation."""

import asyncio
import json
import os
import shutil
import stat
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.executors.script import ScriptExecutor
from orchestration.kinds import Failure
from orchestration.models import Task
from orchestration.results import Outcome
from tests.world.attempts import Ear, script, shell, until_ready, work_for
from tests.world.processes import is_living

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples"


def write_script(folder: Path, text: str, name: str = "agent.sh") -> Path:
    (folder / "project").mkdir(exist_ok=True)
    path = folder / "project" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


async def run(folder: Path, text: str, ear: Ear | None = None, **fields: Any) -> Outcome:  # noqa: ANN401  # of an attempt
    write_script(folder, text)
    return await ScriptExecutor().execute(work_for(folder, script("./agent.sh"), **fields), ear or Ear())


def say(**report: object) -> str:
    return f"cat <<'END'\n{json.dumps(report)}\nEND\n"


async def test_a_script_gets_the_whole_task_on_its_stdin(tmp_path: Path) -> None:
    task = Task(id="T-1", title="A title", description="Do it — ä", labels=("x",), metadata={"due": date(2025, 1, 2)})
    upstream = {"A-1": {"status": "success", "output": "o", "outputs": {"n": 1}}}
    inputs = {"files": ["a"], "when": date(2025, 1, 2)}
    parameters = {"x": float("nan")}
    outcome = await run(
        tmp_path, "cat > got.json; cat", task=task, inputs=inputs, upstream=upstream, parameters=parameters
    )
    assert outcome.succeeded
    got = json.loads((tmp_path / "project" / "got.json").read_text())
    metadata = {"due": "2025-01-02"}
    assert got.pop("task") == {
        "id": "T-1",
        "title": "A title",
        "description": "Do it — ä",
        "labels": ["x"],
        "metadata": metadata,
    }
    assert got.pop("run_id").startswith("test-")
    assert got == {
        "schema": "orch/1",
        "agent": "the-agent",
        "attempt": 1,
        "prompt": "The prompt.",
        "inputs": {"files": ["a"], "when": "2025-01-02"},
        "upstream": upstream,
        "parameters": {"x": "nan"},
        "directory": str(tmp_path / "project"),
        "output_file": str(tmp_path / "given"),
    }


async def test_the_documented_fields_are_those_that_are_sent(tmp_path: Path) -> None:
    await run(tmp_path, "cat > got.json")
    sent = json.loads((tmp_path / "project" / "got.json").read_text())
    text = (DOCS / "script-agents.md").read_text(encoding="utf-8")
    documented = json.loads(text.partition("```json\n")[2].partition("```")[0])
    assert list(documented) == list(sent)
    assert documented["schema"] == sent["schema"]
    assert all(f"`{name}`" in text for name in sent)
    assert all(
        f"`{kind.value}`" in text
        for kind in Failure
        if kind.value not in {"cancelled", "interrupted", "lost", "internal"}
    )


@pytest.mark.parametrize(
    ("code", "report", "failure"),
    [
        (0, "", None),
        (0, "plain text", None),
        (0, say(output="no status"), None),
        (0, say(status="success"), None),
        (0, say(status="failed", error="the error"), Failure.EXIT_CODE),
        (0, say(status="failed", failure="auth", error="the error"), Failure.AUTH),
        (0, say(status="rate_limited"), Failure.RATE_LIMITED),
        (0, 'echo \'{"status": "failed", "error": "a "quote""}\'', Failure.INVALID_OUTPUT),
        (0, say(status="success", outputs=[]), Failure.INVALID_OUTPUT),
        (1, "", Failure.EXIT_CODE),
        (1, say(status="success"), Failure.EXIT_CODE),
        (1, say(status="failed", error="the error"), Failure.EXIT_CODE),
        (1, say(status="failed", failure="rate_limited", error="the error"), Failure.RATE_LIMITED),
        (1, say(status="what"), Failure.EXIT_CODE),
        (2, "", Failure.EXIT_CODE),
        (3, "", Failure.EXIT_CODE),
    ],
)
async def test_exit_code_and_report_must_both_say_success(
    tmp_path: Path, code: int, report: str, failure: Failure | None
) -> None:
    command = f"echo {report}" if report == "plain text" else report
    outcome = await run(tmp_path, f"{command}\nexit {code}")
    assert (outcome.failure, outcome.exit_code) == (failure, code)
    assert (outcome.error is None) == (failure is None)
    if "the error" in report:
        assert outcome.error == "the error"


async def test_a_contradiction_is_told_as_one(tmp_path: Path) -> None:
    outcome = await run(tmp_path, f"{say(status='success')}echo why >&2; exit 1")
    assert (outcome.error or "").startswith("it reported success, but `./agent.sh` ended with exit code 1")
    assert (outcome.error or "").endswith("why")
    assert outcome.claim == "success"


@pytest.mark.parametrize(("code", "said"), [(2, "misconfigured"), (3, "the task makes no sense")])
async def test_the_exit_codes_of_the_protocol_are_explained(tmp_path: Path, code: int, said: str) -> None:
    assert said in ((await run(tmp_path, f"exit {code}")).error or "")


async def test_a_report_becomes_the_outcome_and_progress_is_reported_live(tmp_path: Path) -> None:
    ear = Ear()
    report = say(
        status="success",
        output="text",
        outputs={"a": {"b": [1]}},
        model="m",
        usage={"input_tokens": 5},
        extra=1,
        error="hm",
    )
    outcome = await run(tmp_path, f"echo working >&2; echo noise\n{report}", ear)
    assert outcome.succeeded
    assert (outcome.output, outcome.outputs, outcome.claim) == ("text", {"a": {"b": [1]}}, "success")
    assert outcome.usage is not None
    assert outcome.usage.input_total == 5
    assert outcome.metadata == {"model": "m", "warning": "hm", "report": {"extra": 1}}
    assert ear.text("stderr") == "working\n"
    assert (tmp_path / "attempt" / "stderr.log").read_text() == "working\n"


async def test_plain_text_is_the_output(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "echo one; echo two")
    assert (outcome.output, outcome.claim) == ("one\ntwo", None)


@pytest.mark.slow
async def test_a_report_longer_than_what_is_kept_is_invalid(tmp_path: Path) -> None:
    lines = 'printf \'{"status": "failed", "output": "\'; head -c 2000000 /dev/zero | tr "\\0" x; printf \'"}\''
    outcome = await run(tmp_path, lines)
    assert outcome.failure is Failure.INVALID_OUTPUT
    assert "longer than what is kept" in (outcome.error or "")
    assert outcome.metadata["output_truncated_bytes"] > 900_000


@pytest.mark.slow
async def test_a_report_after_much_noise_is_found(tmp_path: Path) -> None:
    outcome = await run(tmp_path, f"seq 400000\n{say(status='failed', error='the error')}")
    assert (outcome.failure, outcome.error) == (Failure.EXIT_CODE, "the error")


async def test_a_script_may_leave_its_stdin_unread(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "exit 0", inputs={"big": 300_000 * "x"})
    assert outcome.succeeded


async def test_a_crash_counts_more_than_what_was_reported_before(tmp_path: Path) -> None:
    outcome = await run(tmp_path, f"{say(status='success')}kill -KILL $$")
    assert (outcome.failure, outcome.signal, outcome.claim) == (Failure.CRASHED, 9, "success")


@pytest.mark.slow
async def test_a_timeout_counts_more_than_what_was_reported_before(tmp_path: Path) -> None:
    command = f"{say(status='failed', error='the error')}exec sleep 60"
    outcome, limit = await until_ready(
        lambda limit: run(tmp_path, command, timeout=limit), lambda outcome: "it reported" in (outcome.error or "")
    )
    assert outcome.failure is Failure.TIMEOUT
    assert f"timeout of {limit:g} s" in (outcome.error or "")
    assert "it reported the error" in (outcome.error or "")


async def test_a_cancelled_script_is_dead_before_the_cancellation_gets_out(tmp_path: Path) -> None:
    ear = Ear()
    running = asyncio.create_task(run(tmp_path, "echo $$ >&2; sleep 60 & wait", ear))
    await ear.wait_for("\n", "stderr")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_living(int(ear.text("stderr")))


@pytest.mark.parametrize("command", ["./not-there", "not-there-at-all"])
async def test_a_script_that_is_not_there_is_told_with_a_remedy(tmp_path: Path, command: str) -> None:
    outcome = await ScriptExecutor().execute(work_for(tmp_path, script(command)), Ear())
    assert outcome.failure is Failure.AGENT_MISSING
    assert command in (outcome.error or "")
    assert "install it" in (outcome.error or "")


async def test_a_script_that_may_not_be_executed_is_told_with_a_remedy(tmp_path: Path) -> None:
    write_script(tmp_path, "true").chmod(0o600)
    outcome = await ScriptExecutor().execute(work_for(tmp_path, script("./agent.sh")), Ear())
    assert outcome.failure is Failure.AGENT_MISSING
    assert "chmod +x ./agent.sh" in (outcome.error or "")


async def test_a_command_is_found_by_path_and_one_text_is_split_into_words(tmp_path: Path) -> None:
    write_script(tmp_path, 'echo "$1+$2"', "by-path")
    path = f"{tmp_path / 'project'}{os.pathsep}{os.environ['PATH']}"
    for command in (("by-path", "a b", "$c"), ("by-path 'a b' $c",)):
        work = work_for(tmp_path, script(*command), environment={"PATH": path})
        assert (await ScriptExecutor().execute(work, Ear())).output == "a b+$c"


async def test_a_file_whose_name_has_blanks_is_not_split(tmp_path: Path) -> None:
    write_script(tmp_path, "echo found", "my agent")
    assert (await ScriptExecutor().execute(work_for(tmp_path, script("./my agent")), Ear())).output == "found"


@pytest.mark.parametrize("command", ["a 'b", "  "])
async def test_a_command_that_is_no_words_is_a_failure_and_no_exception(tmp_path: Path, command: str) -> None:
    outcome = await ScriptExecutor().execute(work_for(tmp_path, script(command)), Ear())
    assert outcome.failure is Failure.AGENT_MISSING
    assert "the-agent cannot be split" in (outcome.error or "")


async def test_an_agent_of_another_kind_is_a_fault_of_ours(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="shell agents"):
        await ScriptExecutor().execute(work_for(tmp_path, shell("true")), Ear())


# -- the examples of the documentation -------------------------------------------------------------------------------


async def example(folder: Path, name: str, /, **inputs: object) -> tuple[Outcome, Ear]:
    project = folder / "project"
    project.mkdir(exist_ok=True)
    (project / "code").mkdir(exist_ok=True)
    (project / "code" / "a.py").write_text("one\n# TODO: two\n")
    (project / "code" / ".hidden").write_text("TODO\n")
    (project / "code" / "b c.py").write_text("# TODO three\n")
    (project / "good.md").write_text("[code](code/a.py), [web](https://example.org), [self](#here), `[no](nothing)`\n")
    ear = Ear()
    work = work_for(folder, script(str(EXAMPLES / name)), inputs=inputs)
    return await ScriptExecutor().execute(work, ear), ear


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="the example is in Bash")
async def test_the_example_in_bash_counts_lines_and_marks(tmp_path: Path) -> None:
    outcome, ear = await example(tmp_path, "script_agent.sh", folder="code")
    assert outcome.succeeded, outcome.error
    assert outcome.outputs == {"files": 2, "lines": 3, "todos": 2}
    assert "counted 2 files in code" in ear.text("stderr")
    outcome, _ = await example(tmp_path, "script_agent.sh", folder="code", most=1)
    assert (outcome.failure, outcome.error) == (Failure.EXIT_CODE, "2 TODO marks are left, at most 1 are accepted")
    assert outcome.outputs["todos"] == 2
    for wrong in ({"folder": "nothing"}, {"folder": "code", "most": "many"}):
        outcome, _ = await example(tmp_path, "script_agent.sh", **wrong)
        assert (outcome.failure, outcome.exit_code) == (Failure.EXIT_CODE, 3)


@pytest.mark.slow
async def test_the_example_in_python_finds_broken_links(tmp_path: Path) -> None:
    outcome, ear = await example(tmp_path, "script_agent.py")
    assert outcome.succeeded, outcome.error
    assert outcome.outputs == {"checked": 1, "broken": []}
    assert "1/1 good.md" in ear.text("stderr")
    (tmp_path / "project" / "bad.md").write_text("[a](nothing.md), [b](good.md#x)\n")
    outcome, _ = await example(tmp_path, "script_agent.py", files=["*.md"])
    assert outcome.failure is Failure.EXIT_CODE
    assert outcome.error == "broken links (1):\nbad.md: nothing.md"
    assert outcome.outputs == {"checked": 2, "broken": ["bad.md: nothing.md"]}
    outcome, _ = await example(tmp_path, "script_agent.py", files=["*.txt"])
    assert (outcome.exit_code, outcome.error) == (3, "no file matches *.txt")
