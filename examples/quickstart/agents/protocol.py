"""Speaks the protocol of script agents: the task as JSON on stdin, one JSON object with the result on stdout."""

import json
import sys
from collections.abc import Callable
from typing import Any

FAILED, BAD_TASK = 1, 3


def answer(survey: Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]) -> int:
    """Read the task, make the survey, answer; returns the exit code.

    Args:
        survey: Takes the task's inputs; returns a sentence about what was found, and the outputs.
    """
    try:
        task = json.load(sys.stdin)
        inputs = dict(task.get("inputs") or {})
    except (ValueError, AttributeError, TypeError) as error:
        print(json.dumps({"status": "failed", "error": f"this is no task: {error}"}))
        return BAD_TASK
    try:
        output, outputs = survey(inputs)
    except (KeyError, OSError, ValueError) as error:
        print(json.dumps({"status": "failed", "error": f"{type(error).__name__}: {error}"}))
        return FAILED
    print(json.dumps({"status": "success", "output": output, "outputs": outputs}))
    return 0
