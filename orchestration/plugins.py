"""What other packages add, found by their entry points: agents, kinds of agents, backends, stores, types of tasks.

Nothing is looked for at import, and nothing is loaded before its name is met: a name that we do not have ourselves is
looked up among the entry points of its group. What is built in cannot be taken over. Edges survived: a plug-in that
cannot be imported, or is not what its group asks for (an error that names it and its package, met by whoever uses it
and by nobody else), two packages that give the same name (nobody guesses which one is meant), a package whose data is
broken, one that is installed while we run (it is found by the next process).
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import OrchError, UnknownBackend
from orchestration.graph import nearest
from orchestration.models import LOCAL
from orchestration.records import dataclass

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

AGENTS: Final = "orchestration.agents"
EXECUTORS: Final = "orchestration.executors"
BACKENDS: Final = "orchestration.backends"
STORES: Final = "orchestration.stores"
TASKS: Final = "orchestration.tasks"


class BrokenPlugin(OrchError):
    """A plug-in cannot be used; the message names it and the package that it comes from."""

    code = "broken_plugin"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Plugin:
    """What one entry point says: under which name, and what is behind it."""

    group: str
    name: str
    points: "tuple[EntryPoint, ...]"

    @property
    def told(self) -> str:
        """It, for messages."""
        packages = ", ".join(dict.fromkeys(_package(point) for point in self.points))
        return f"the plug-in {self.name} ({self.group}, from {packages})"

    def load(self) -> Any:  # noqa: ANN401  # whatever is behind it
        """Import what is behind it.

        Raises:
            BrokenPlugin: that fails, or several packages give this name.
        """
        behind = {point.value for point in self.points}
        if len(behind) > 1:
            raise BrokenPlugin(f"{self.told} is given by several packages", hint="uninstall all of them but one")
        try:
            return self.points[0].load()
        except (Exception, SystemExit) as error:
            told = f"{self.told} cannot be loaded: {type(error).__name__}: {error}"
            raise BrokenPlugin(told, hint="mend, update or uninstall its package") from error


def _package(point: "EntryPoint") -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown package"


@cache
def _found(group: str) -> dict[str, Plugin]:
    from importlib.metadata import entry_points  # noqa: PLC0415  # costs more than all else here, and is seldom needed

    by_name: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=group), key=lambda one: (one.name, one.value)):
        by_name.setdefault(point.name, []).append(point)
    return {name: Plugin(group, name, tuple(points)) for name, points in by_name.items()}


def names(group: str) -> list[str]:
    """The names that packages give in a group; nothing is loaded."""
    return list(_found(group))


def every(group: str) -> Iterator[Plugin]:
    """All plug-ins of a group; nothing is loaded."""
    yield from _found(group).values()


def find(group: str, name: str) -> Plugin | None:
    """The plug-in of a name; nothing is loaded."""
    return _found(group).get(name)


def backend(written: str) -> Plugin:
    """What is behind `NAME` or `NAME:ADDRESS` of a backend; nothing is loaded.

    Raises:
        UnknownBackend: no installed package has one of this name. `local` is none, and is not to be taken over.
    """
    name = written.partition(":")[0]
    plugin = find(BACKENDS, name)
    if plugin is None or name == LOCAL:
        known = [LOCAL, *names(BACKENDS)]
        hint = nearest(name, known) or f"known backends: {', '.join(known)}"
        raise UnknownBackend(f"there is no backend {written[:80]!r}", hint=hint)
    return plugin


def made(plugin: Plugin, **options: Any) -> Any:  # noqa: ANN401  # whatever it makes
    """What a plug-in that is a class or a function makes.

    Raises:
        BrokenPlugin: it cannot be loaded, cannot be called, or raises.
    """
    maker: Callable[..., Any] = plugin.load()
    try:
        return maker(**options)
    except OrchError:
        raise
    except (Exception, SystemExit) as error:
        told = f"{plugin.told} cannot be made: {type(error).__name__}: {error}"
        raise BrokenPlugin(told, hint="mend, update or uninstall its package") from error
