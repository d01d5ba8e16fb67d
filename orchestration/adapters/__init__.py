"""Agent programs by description: a task → what to start; what it prints → what came of it.

Pure. One declarative form (`docs/adapters.md`) covers the presets and whatever a user adds by a file; its interpreter
is this room. Files are read by `orchestration.loading.adapters`; processes are somebody else's business altogether.
"""

from orchestration.adapters.adapter import Adapter, replay
from orchestration.adapters.denials import denied
from orchestration.adapters.launch import PROMPT_FILE, Invocation, Launch
from orchestration.adapters.parsing import parse_adapter
from orchestration.adapters.reader import Reader, Seen
from orchestration.adapters.verdict import End

__all__ = [
    "PROMPT_FILE",
    "Adapter",
    "End",
    "Invocation",
    "Launch",
    "Reader",
    "Seen",
    "denied",
    "parse_adapter",
    "replay",
]
