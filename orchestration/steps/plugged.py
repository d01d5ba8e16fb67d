"""Stores that other packages add: `name://rest` is what the plug-in of this name makes of the rest."""

from orchestration import plugins
from orchestration.errors import UsageError
from orchestration.graph import nearest
from orchestration.plugins import STORES, BrokenPlugin
from orchestration.protocols import RunStore

_METHODS = ("append", "events", "open_run", "runs", "own", "close")


def store_of(address: str) -> RunStore:
    """The store at an address.

    Raises:
        UsageError: there is no plug-in of this name.
        BrokenPlugin: there is one, and it makes no store.
    """
    name, _, rest = address.partition("://")
    plugin = plugins.find(STORES, name)
    if plugin is None:
        known = plugins.names(STORES)
        hint = nearest(name, known) or f"stores of other packages: {', '.join(known) or 'none'}; a folder needs no ://"
        raise UsageError(f"there is no store {name[:80]!r}", hint=hint)
    store: RunStore = plugins.made(plugin, address=rest)
    lacking = [method for method in _METHODS if not callable(getattr(store, method, None))]
    if lacking:
        raise BrokenPlugin(f"{plugin.told} makes no store: it has no {lacking[0]}")
    return store
