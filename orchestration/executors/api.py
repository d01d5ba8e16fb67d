"""`kind: api`: one question to a model, over HTTP, without a program in between.

The libraries that speak to the providers come with the extra `api`. They take a second or two to import, so nothing of
them is imported before the first question, then only the part for the provider that is asked, and in a thread: the loop
goes on. Any kind of agent can be asked this way (mode `api`); which model that is, `binding` says.

Edges survived: the extra, or a part of it, is not installed; several first questions at once.
"""

import asyncio
import sys
import threading
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Final

from orchestration.binding import CannotAsk, Dialect, binding_for, endpoint_for
from orchestration.kinds import Failure
from orchestration.models import ApiSettings
from orchestration.protocols import Report, Work
from orchestration.results import Outcome

ASKING: Final = "orchestration.executors._api_asking"

SPEAKERS: Final[Mapping[Dialect, str]] = {
    Dialect.CHAT: "orchestration.executors._api_openai",
    Dialect.RESPONSES: "orchestration.executors._api_openai",
    Dialect.MESSAGES: "orchestration.executors._api_anthropic",
    Dialect.GEMINI: "orchestration.executors._api_google",
}
"""Language → the module that speaks it."""

NOT_INSTALLED: Final = "asking models directly needs the extra `api` (pip install 'orch-tasks[api]')"

_ONE_AT_A_TIME: Final = threading.Lock()
"""Two threads that import parts of one big package at once can meet it half-made."""

_imported: Final[dict[str, ModuleType]] = {}
"""What is imported to its end: `sys.modules` has a module from the beginning of its import."""


class ApiExecutor:
    """Asks the model that is bound to the agent."""

    def __init__(self, settings: ApiSettings | None = None) -> None:
        """`settings` are the project's `api`."""
        self._settings = ApiSettings() if settings is None else settings

    async def execute(self, work: Work, report: Report) -> Outcome:
        """Do one attempt; see `protocols.Executor`."""
        try:
            binding = binding_for(work.agent_name, work.agent, self._settings)
            endpoint = endpoint_for(work.agent_name, binding, work.agent_environment)
            asking, speaker = await wait_for_import(ASKING), await wait_for_import(SPEAKERS[endpoint.dialect])
        except CannotAsk as error:
            return Outcome(failure=error.failure, error=error.message)
        except ImportError as error:
            return Outcome(failure=Failure.AGENT_MISSING, error=f"{NOT_INSTALLED}: {error}")
        outcome: Outcome = await asking.ask(work, endpoint, speaker.model_for, report)
        return outcome


async def wait_for_import(name: str) -> ModuleType:
    """A module, once all of it is imported; raises what its import raises."""
    known = _imported.get(name)
    is_there = known is not None and sys.modules.get(name) is known
    return known if known is not None and is_there else await asyncio.to_thread(_import, name)


def _import(name: str) -> ModuleType:
    with _ONE_AT_A_TIME:
        _imported[name] = import_module(name)
        return _imported[name]
