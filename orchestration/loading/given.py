"""What was written → what was given: a key with nothing behind it is the same as no key.

So a template of a file with all keys can be filled in where needed, and `title:` means that there is no title.
"""

from typing import Any, Final

_INNER: Final = ("retry", "backoff")
"""Keys whose value is made of keys in the same way."""


def given(written: dict[str, Any]) -> dict[str, Any]:
    """The entries that have a value."""
    found = {key: value for key, value in written.items() if value is not None}
    for name in _INNER:
        if isinstance(inner := found.get(name), dict):
            found[name] = given(inner)
    return found
