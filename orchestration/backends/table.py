"""Backends by what settings and callers write: `NAME`, or `NAME:ADDRESS`.

The name is that of a plug-in (`orchestration.backends`); what stands behind the colon is for it alone to understand: a
host, an image, a number.
"""

from orchestration import plugins
from orchestration.errors import UnknownBackend
from orchestration.graph import nearest
from orchestration.models import LOCAL
from orchestration.protocols import Backend


class Backends:
    """The backends of one program, each made once, when it is first needed."""

    def __init__(self) -> None:
        """Nothing is looked for."""
        self._made: dict[str, Backend] = {}

    def __call__(self, written: str) -> Backend:
        """The backend that is meant.

        Raises:
            UnknownBackend: no installed package has one of this name.
            BrokenPlugin: the package that has it cannot be used.
        """
        if written not in self._made:
            self._made[written] = _made(written)
        return self._made[written]


def _made(written: str) -> Backend:
    name, colon, address = written.partition(":")
    plugin = plugins.find(plugins.BACKENDS, name)
    if plugin is None or name == LOCAL:  # which takes no address, and is not to be taken over
        known = [LOCAL, *plugins.names(plugins.BACKENDS)]
        hint = nearest(name, known) or f"known backends: {', '.join(known)}"
        raise UnknownBackend(f"there is no backend {written[:80]!r}", hint=hint)
    backend: Backend = plugins.made(plugin, **({"address": address} if colon else {}))
    if not callable(getattr(backend, "execute", None)):
        raise plugins.BrokenPlugin(f"{plugin.told} makes no backend: it has no `execute`")
    return backend
