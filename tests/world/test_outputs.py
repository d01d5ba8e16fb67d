"""`$ORCH_OUTPUT`: what a task passes on, and what it can do to the file instead."""

from pathlib import Path

import pytest

from orchestration import ExecutionStatus, Task, TaskExecutor
from orchestration.attempts.outputs import MAX_INLINE, BadOutputs, keep_inline, parse_outputs
from orchestration.kinds import Failure

ROWS = [
    ("", {}),
    ("a=1\n", {"a": "1"}),
    ("a=1\nb = two words \n\na=3", {"a": "3", "b": " two words "}),
    ("url=http://x/?a=b", {"url": "http://x/?a=b"}),
    ('{"a": 1, "b": [true, null]}', {"a": 1, "b": [True, None]}),
    ('a=1\n{"b": 2}\nc=', {"a": "1", "b": 2, "c": ""}),
    ('{\n  "a": 1\n}\n', {"a": 1}),
    ("a=1\r\n", {"a": "1"}),
    ("ü=ñ", {"ü": "ñ"}),
]
BAD = [
    *("no equals sign", "=value", "{broken", '["a"]', '{"a": NaN}', "[1]=2"),
    *('{"a": 1e999}', '{"a": [-1e999]}', '{"a": "\\ud800"}', '{"a": ' + "[" * 200 + "]" * 200 + "}"),
]


@pytest.mark.parametrize(("text", "values"), ROWS)
def test_lines_and_objects_become_values(text: str, values: dict[str, object]) -> None:
    assert parse_outputs(text) == values


@pytest.mark.parametrize("text", BAD)
def test_what_is_neither_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(BadOutputs, match="line 2"):
        parse_outputs(f"fine=1\n{text}")


def test_what_keeps_an_object_from_being_one_is_said() -> None:
    with pytest.raises(BadOutputs, match="a number is out of range"):
        parse_outputs('{"a": 1e999}')
    with pytest.raises(BadOutputs, match="half of a surrogate pair"):
        parse_outputs('{"a": "\\ud800"}')


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ('rm "$ORCH_OUTPUT"', "is gone"),
        ('rm "$ORCH_OUTPUT"; mkfifo "$ORCH_OUTPUT"', "is no file any more"),
        ('rm "$ORCH_OUTPUT"; mkdir "$ORCH_OUTPUT"', "is no file any more"),
        ('rm "$ORCH_OUTPUT"; ln -s /etc/hostname "$ORCH_OUTPUT"', "cannot be read"),
        ('rm -r "$(dirname "$ORCH_OUTPUT")"', "is gone"),
        ('head -c 2000000 /dev/zero > "$ORCH_OUTPUT"', "is over"),
        ('printf "a=\\377" > "$ORCH_OUTPUT"', "is not UTF-8"),
        ('echo nonsense > "$ORCH_OUTPUT"', "'nonsense'"),
    ],
)
async def test_whatever_a_task_makes_of_the_file_is_its_own_failure(tmp_path: Path, command: str, said: str) -> None:
    executor = TaskExecutor(directory=tmp_path)
    task = Task(id="A", agent="shell", description=command)
    good = Task(id="B", agent="shell", description='echo n=1 >> "$ORCH_OUTPUT"')
    result, other = await executor.execute_parallel([(task, None), (good, None)], max_concurrent=1)
    assert (result.status, result.failure) == (ExecutionStatus.FAILED, Failure.INVALID_OUTPUT)
    assert said in (result.error or "")
    assert other.outputs == {"n": "1"}


async def test_a_value_that_no_variable_can_hold_is_a_fault_of_the_values(tmp_path: Path) -> None:
    task = Task(id="A", agent="shell", description="true", inputs={"zero": "a\0b"}, env={"ZERO": "{{ inputs.zero }}"})
    result = await TaskExecutor(directory=tmp_path).execute(task)
    assert (result.status, result.failure) == (ExecutionStatus.FAILED, Failure.INVALID_OUTPUT)
    assert "env.ZERO: it holds a zero byte" in (result.error or "")


def test_long_output_goes_to_a_file_and_its_end_stays(tmp_path: Path) -> None:
    text = "ü" * MAX_INLINE + "the end"
    inline, file = keep_inline(text, tmp_path / "attempt")
    assert file is not None
    assert Path(file).read_text() == text
    assert len(inline.encode()) <= MAX_INLINE
    assert inline.endswith("the end")
    assert keep_inline("short", tmp_path / "none") == ("short", None)
    assert not (tmp_path / "none").exists()
