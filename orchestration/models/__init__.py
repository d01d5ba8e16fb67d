"""What a user writes: tasks, agents, policies and project settings, checked here once.

Everything from outside (YAML, Markdown front matter, Python callers) becomes one of these frozen models or a list of
precise errors; nothing further inside checks types again.
"""

from orchestration.models.agents import (
    BUILT_IN_AGENTS,
    KINDS,
    PRESETS,
    Agent,
    AgentByKind,
    ApiAgent,
    Binding,
    ChainStep,
    CliAgent,
    HybridAgent,
    InteractiveAgent,
    MovableAgent,
    PluginAgent,
    PythonAgent,
    ScriptAgent,
    ScriptedAgent,
    ShellAgent,
)
from orchestration.models.fields import (
    LOCAL,
    MAX_SECONDS,
    SAFE_ID,
    AgentName,
    Duration,
    Limit,
    Written,
    runs_nothing,
    seconds_of,
)
from orchestration.models.policies import MAX_CONCURRENT, Account, Backoff, Budget, Price, RetryPolicy
from orchestration.models.settings import ApiSettings, SecretSource, Settings
from orchestration.models.tasks import TASK_ALIASES, Task

__all__ = [
    "BUILT_IN_AGENTS",
    "KINDS",
    "LOCAL",
    "MAX_CONCURRENT",
    "MAX_SECONDS",
    "PRESETS",
    "SAFE_ID",
    "TASK_ALIASES",
    "Account",
    "Agent",
    "AgentByKind",
    "AgentName",
    "ApiAgent",
    "ApiSettings",
    "Backoff",
    "Binding",
    "Budget",
    "ChainStep",
    "CliAgent",
    "Duration",
    "HybridAgent",
    "InteractiveAgent",
    "Limit",
    "MovableAgent",
    "PluginAgent",
    "Price",
    "PythonAgent",
    "RetryPolicy",
    "ScriptAgent",
    "ScriptedAgent",
    "SecretSource",
    "Settings",
    "ShellAgent",
    "Task",
    "Written",
    "runs_nothing",
    "seconds_of",
]
