"""Licences by their SPDX names: read from metadata and texts, and held against an allow-list."""

import re
from collections.abc import Collection, Iterator

UNKNOWN = "unknown"

# How package metadata spells the licences that have no SPDX expression yet; looked for in this order, in lower case.
# "BSD" alone does not say which of the family it is, so it stays a name of its own that a list has to allow.
SPELLINGS = (
    ("affero", "AGPL-3.0"), ("lesser general public", "LGPL-3.0"), ("lgpl", "LGPL-3.0"), ("gplv2", "GPL-2.0"),
    ("gpl-2", "GPL-2.0"), ("general public", "GPL-3.0"), ("gpl", "GPL-3.0"), ("mozilla", "MPL-2.0"),
    ("mpl", "MPL-2.0"), ("apache", "Apache-2.0"), ("bsd 3", "BSD-3-Clause"), ("bsd-3", "BSD-3-Clause"),
    ("3-clause", "BSD-3-Clause"), ("bsd 2", "BSD-2-Clause"), ("bsd-2", "BSD-2-Clause"), ("2-clause", "BSD-2-Clause"),
    ("bsd", "BSD"), ("isc", "ISC"), ("mit", "MIT"), ("python software foundation", "PSF-2.0"), ("psf", "PSF-2.0"),
    ("unlicense", "Unlicense"), ("zlib", "Zlib"), ("public domain", "CC0-1.0"),
)  # fmt: skip

# Words that stand in one licence text and in no other; the more particular ones first.
TEXTS = (
    ("python software foundation license version 2", "PSF-2.0"),
    ("gnu affero general public license", "AGPL-3.0"), ("gnu lesser general public license", "LGPL-3.0"),
    ("gnu general public license version 2", "GPL-2.0"), ("gnu general public license", "GPL-3.0"),
    ("mozilla public license version 2.0", "MPL-2.0"), ("apache license version 2.0", "Apache-2.0"),
    ("neither the name of", "BSD-3-Clause"), ("redistribution and use in source and binary forms", "BSD-2-Clause"),
    ("permission to use, copy, modify, and/or distribute", "ISC"),
    ("permission is hereby granted, free of charge", "MIT"),
    ("this is free and unencumbered software", "Unlicense"), ("cc0 1.0 universal", "CC0-1.0"),
)  # fmt: skip

TOKEN = re.compile(r"\(|\)|[^\s()]+")


def from_text(text: str) -> str:
    """Which licence a text is."""
    flat = re.sub(r"[\s,]+", " ", text.lower())
    return next((name for words, name in TEXTS if words.replace(",", "") in flat.replace(",", "")), UNKNOWN)


def from_spelling(spelling: str) -> str:
    """Which licence a package means by what it calls it."""
    low = spelling.lower()
    return next((name for words, name in SPELLINGS if re.search(rf"(?<![a-z]){re.escape(words)}", low)), UNKNOWN)


def allows(expression: str, allowed: Collection[str]) -> bool:
    """Whether an expression can be satisfied by allowed licences: one side of each OR, both sides of each AND."""
    tokens = iter(TOKEN.findall(expression))
    return _any_of(tokens, {name.lower() for name in allowed})


def _any_of(tokens: Iterator[str], allowed: Collection[str]) -> bool:
    """Read up to the closing bracket or the end; OR binds less than AND."""
    found, every, exception = False, True, False
    for part in tokens:
        word = part.upper()
        if word == ")":
            break
        if word == "OR":
            found, every = found or every, True
        elif part == "(":
            every = _any_of(tokens, allowed) and every
        elif exception:
            exception = False  # an exception only adds permissions
        elif word == "WITH":
            exception = True
        elif word != "AND":
            every = every and re.sub(r"(-only|-or-later|\+)$", "", part).lower() in allowed
    return found or every
