"""A secret → every spelling in which it could show itself: as it is, escaped, quoted, encoded, line by line.

A spelling is a plain text that is looked for as it stands; no pattern, so that no secret can be read as one. Edges:

- A secret in JSON inside of JSON, as events of agents hold what a tool printed: escaped once and twice.
- Base64 of something that contains the secret: three alignments, each without the characters that its neighbours have a
  part in. Spellings of fewer than `SHORTEST_ENCODED` characters are left out: they would stand in any picture.
- A secret of several lines (a private key): each line that is long enough is a secret too, because a log, a diff or a
  terminal may show one alone or end lines in another way; armour (`-----BEGIN …-----`) is public.
- White space around a secret: most programs drop it, it is no secret, and a stream must not hold every line end back
  because a secret could begin with one. A password inside of a URL.
- A secret of fewer than `SHORTEST` characters has no spelling: masking it would garble every number and word.

Not found: base64 that is broken into lines in the middle of the secret, hexadecimal, and what an agent invents to hide
it (one character per line, say). Masking guards against accidents, not against whoever wants to tell.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST: Final = 4
"""Characters of the shortest secret that is masked: shorter ones stand in every number, word and time."""

SHORTEST_LINE: Final = 8
"""Characters of the shortest line of a longer secret that is masked alone."""

SHORTEST_ENCODED: Final = 6
"""Characters of the shortest base64 that is looked for; that of any secret of five bytes has as many."""

_ARMOUR: Final = re.compile(r"-{3,}.*-{3,}")
_PASSWORD: Final = re.compile(r"://[^/?#@\s:]*:([^/?#@\s]+)@")
_ESCAPED_BYTE: Final = re.compile(r"%[0-9A-F]{2}")
_SHELL_SIGN: Final = re.compile(r"([^\w@%+=:,./-])")
_HTML_SIGNS: Final = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})
_NO_LEAD: Final = (0, 2, 3)  # base64 characters in which the bytes before have a part, by their number modulo three
_NO_TRAIL: Final = (0, 1, 1)  # the same for the bytes after; the filling is cut off before


def spellings(secret: str) -> frozenset[str]:
    """All spellings of a secret; none if it is too short to be masked."""
    found: set[str] = set()
    for plain in _plain(secret):
        found |= {plain, *_in_json(plain), *_in_urls(plain), *_in_shells(plain)}
    if len(whole := secret.strip()) >= SHORTEST:
        found |= {*_in_base64(secret), *_in_base64(whole)}
    return frozenset(found)


def _plain(secret: str) -> Iterator[str]:
    """The secret, and the parts of it that are secrets in themselves."""
    if len(whole := secret.strip()) < SHORTEST:
        return
    yield whole
    lines = [line.strip() for line in secret.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= SHORTEST_LINE and not _ARMOUR.fullmatch(line))
    yield from (password for password in _PASSWORD.findall(secret) if len(password) >= SHORTEST)


def _in_json(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from (once, once.translate(_HTML_SIGNS), once.replace("/", "\\/"))
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]


def _in_urls(text: str) -> Iterator[str]:
    data = encoded(text)
    for quoted in (quote(data, safe=""), quote(data), quote_plus(data), quote(data, safe="!*'()")):
        yield quoted
        yield _ESCAPED_BYTE.sub(lambda found: found[0].lower(), quoted)


def _in_shells(text: str) -> Iterator[str]:
    yield text.replace("'", "'\"'\"'")
    yield text.replace("'", "'\\''")
    yield _SHELL_SIGN.sub(r"\\\1", text)


def _in_base64(text: str) -> Iterator[str]:
    data = encoded(text)
    for before in range(3):
        code = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        code = code[_NO_LEAD[before] : len(code) - _NO_TRAIL[(before + len(data)) % 3]]
        if len(code) >= SHORTEST_ENCODED:
            yield code
            yield code.replace("+", "-").replace("/", "_")


def encoded(text: str) -> bytes:
    """The bytes of a text; what stands for bytes that are no UTF-8, as in variables of ours, becomes those again."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")
