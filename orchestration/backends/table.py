"""Backends by what settings and callers write: `NAME`, or `NAME:ADDRESS`.

The name is that of a plug-in (`orchestration.backends`); what stands behind the colon is for it alone to understand: a
host, an image, a number.
"""

from orchestration import plugins
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
    plugin = plugins.backend(written)
    _, colon, address = written.partition(":")
    backend: Backend = plugins.made(plugin, **({"address": address} if colon else {}))
    if not callable(getattr(backend, "execute", None)):
        raise plugins.BrokenPlugin(f"{plugin.told} makes no backend: it has no `execute`")
    return backend
