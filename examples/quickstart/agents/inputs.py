"""What the tasks before this one left for it: the file that `ORCH_INPUTS` names."""

import json
import os
from pathlib import Path
from typing import Any


def upstream() -> dict[str, Any]:
    """For each task that this one depends on: its `status`, `output` and `outputs`.

    Raises:
        KeyError: This was not started as a task.
    """
    tasks: dict[str, Any] = json.loads(Path(os.environ["ORCH_INPUTS"]).read_text(encoding="utf-8"))["tasks"]
    return tasks
