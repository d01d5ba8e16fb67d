"""Backends that the settings name though neither we nor an installed package has them.

Whoever names none, or `local`, has nothing looked for; what is behind a name is loaded by the first attempt on it.
"""

from collections.abc import Iterator

from orchestration import plugins
from orchestration.errors import UnknownBackend
from orchestration.loading.findings import FieldPath, Finding
from orchestration.models import LOCAL, MovableAgent, Settings


def wrong_backends(settings: Settings) -> Iterator[Finding]:
    """What is wrong with the names of backends, with paths inside of the settings."""
    for written, path in _named(settings):
        if written == LOCAL:
            continue
        try:
            plugins.backend(written)
        except UnknownBackend as error:
            yield Finding(error.message, hint=error.hint, path=path)


def _named(settings: Settings) -> Iterator[tuple[str, FieldPath]]:
    if settings.backend is not None:
        yield settings.backend, ("backend",)
    for name, agent in settings.agents.items():
        if isinstance(agent, MovableAgent) and agent.backend is not None:
            yield agent.backend, ("agents", name, "backend")
