"""Where attempts run, if it is not here: backends by their names, and what the simple ones derive from.

`local` is the word for no backend at all; every other one comes from a package of somebody else's (`docs/plugins.md`).
Nothing of this room is imported before one is named.
"""

from orchestration.backends.elsewhere import Elsewhere
from orchestration.backends.table import Backends
from orchestration.backends.wrapping import Wrapping

__all__ = ["Backends", "Elsewhere", "Wrapping"]
