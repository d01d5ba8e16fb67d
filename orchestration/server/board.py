"""The page that shows runs and tasks: one file, whose script and style are allowed by their digests and nothing else.

Nothing comes from elsewhere, and nothing that an agent wrote can become a script: the page puts texts in as texts, and
if that ever failed, its policy would still run no script but its own.
"""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Final

_PART: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def page() -> str:
    """The page."""
    return (files("orchestration.server") / "board.html").read_text(encoding="utf-8")


@cache
def headers() -> dict[str, str]:
    """What goes with it."""
    digests = {kind: _digest(text) for kind, text in _PART.findall(page())}
    policy = {
        "default-src": "'none'",
        "script-src": digests["script"],
        "style-src": digests["style"],
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    told = "; ".join(f"{name} {value}" for name, value in policy.items())
    return {"Content-Security-Policy": told, "Cache-Control": "no-store"}


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
