"""What is kept of an attempt so that it can be looked at years later: the prompt, and what was started with it.

`command.json` names the variables that the program could see, never their values. Secrets are masked in both.
"""

import json
import os
from typing import Any, Final

from orchestration.protocols import Start, Work

PROMPT: Final = "prompt.md"
COMMAND: Final = "command.json"


def keep_prompt(work: Work) -> None:
    """Keep the exact prompt."""
    _keep(work, PROMPT, work.masker.text(work.prompt) if work.masker else work.prompt)


def keep_command(work: Work, start: Start, **facts: Any) -> None:  # noqa: ANN401  # facts of any kind
    """Keep what is about to be started, by which backend, and whatever else is known of it."""
    facts["backend"] = work.backend
    data: dict[str, Any] = {
        "argv": list(start.argv),
        "cwd": str(start.directory),
        "environment": sorted(start.environment),
        **{name: fact for name, fact in facts.items() if fact is not None},
    }
    data = work.masker.value(data) if work.masker else data
    _keep(work, COMMAND, json.dumps(data, indent=1) + "\n")


def _keep(work: Work, name: str, text: str) -> None:
    work.folder.mkdir(parents=True, exist_ok=True)
    path = work.folder / name
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
