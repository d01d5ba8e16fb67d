"""The vault: named secrets are looked up just before they are needed, and it is known which variables are secret.

What looks secrets up is imported when it is asked for: most projects name none.
"""

from typing import TYPE_CHECKING

from orchestration.vault.suspects import looks_secret, secret_names

if TYPE_CHECKING:
    from orchestration.vault.dotenv import BadDotenv, parse_dotenv
    from orchestration.vault.resolving import secrets_for

__all__ = ["BadDotenv", "looks_secret", "parse_dotenv", "secret_names", "secrets_for"]

_HOMES = {"BadDotenv": "dotenv", "parse_dotenv": "dotenv", "secrets_for": "resolving"}


def __getattr__(name: str) -> object:
    """Import a name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  # see above

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
