"""How the scripted agent is started: the words that start the program, and the document that it is given."""

from __future__ import annotations

import json
import os
import sys

from orchestration.scripted.reading import read

START = (
    "import sys; ours = type(sys)('orchestration'); ours.__path__ = [sys.argv[1]]; "
    "sys.modules['orchestration'] = ours; "
    "from orchestration.scripted.__main__ import main; main(sys.argv[2:])"
)
"""What the interpreter runs: our package is found wherever it is installed, also from a clean environment."""

SCRIPT_FILE = "script.json"
"""What the document is called in the attempt's folder."""


def program() -> tuple[str, ...]:
    """The words that start the program, for this interpreter and this installation; its options follow them.

    The interpreter is started bare (`-I -S`): nothing of the project or the user can change what it does, and it is
    there in half the time.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return (sys.executable, "-I", "-S", "-c", START, package)


def document(script: object, seed: int = 0) -> str:
    """A script as the JSON that `--script` takes.

    Raises:
        BadScript: something in it makes no sense.
    """
    read(script)
    return json.dumps({"seed": seed, "script": script}, ensure_ascii=False, default=_as_text)


def _as_text(value: object) -> str:
    """What JSON does not know, such as the times that YAML reads."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
