"""A source tree so small that everything about it is known, for the example that surveys one."""

import os
import subprocess
from pathlib import Path

MARK = "TO" + "DO"  # in two parts, so that a survey of this project does not find it here

FILES = {
    "LICENSE": "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n",
    "README.md": (
        "# Tiny\n\nSee [the shapes](tiny/shapes.py), [how to use them](docs/use.md#how-to-use-it),\n[tests](tests) "
        "and [elsewhere](https://example.com/nothing). In code, `[x](y)` is no link.\n"
    ),
    "docs/use.md": "Tiny\n====\n\n## How to `use` it\n\n[Back](../README.md#tiny)\n",
    "pyproject.toml": (
        '[project]\nname = "tiny"\nlicense = "MIT"\ndependencies = ["pyyaml", "never-made-by-anyone>=1"]\n'
    ),
    "tests/test_shapes.py": (
        '"""Tests."""\n\nfrom tiny.shapes import area, kind\n\n\ndef test_area():\n    assert area(2, 3) == 6\n\n\n'
        "def test_kind():\n    assert kind(3) == 'triangle'\n\n\ndef helper():\n    return 1\n"
    ),
    "tiny/__init__.py": '"""A tiny package."""\n',
    "tiny/shapes.py": (
        '"""Shapes."""\n\nimport math\n\nfrom tiny.units import metres\n\n\ndef area(width, height):\n'
        '    """The area."""\n    return metres(width) * metres(height)\n\n\n'
        'def kind(sides):\n    # by the number of sides\n    if sides == 3 or sides < 0:\n        return "triangle"\n'
        '    return "circle" if sides == 0 else math.inf\n'
    ),
    "tiny/units.py": f'"""Units."""\n\n\ndef metres(value):\n    return float(value)  # {MARK}: feet\n',
}
LINES = {"python": 38, "markdown": 10, "toml": 4, "other text": 3}
TOTAL, WORDS, BLANK = 55, 15, 19
"""Lines of all files; those that speak to people; blank ones. The rest is code."""


def plant(root: Path) -> Path:
    """Write the tree, with a history of two commits by two people; `tiny/shapes.py` is in both."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "logo.bin").write_bytes(b"\0\1\n\2")
    git(root, "init", "--quiet")
    shapes = root / "tiny/shapes.py"
    shapes.write_text("# soon\n", encoding="utf-8")
    commit(root, "Ada", "2024-05-01T12:00:00+00:00")
    shapes.write_text(FILES["tiny/shapes.py"], encoding="utf-8")
    commit(root, "Grace", "2024-05-04T12:00:00+00:00")
    return root


def commit(root: Path, author: str, at: str) -> None:
    """Commit everything there is."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "work", author=author, at=at)


def git(root: Path, *arguments: str, author: str = "Ada", at: str = "2024-05-01T12:00:00+00:00") -> None:
    """Run git with nothing but what is said here."""
    people = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (
        ("NAME", author), ("EMAIL", "nobody@example.com"), ("DATE", at))}  # fmt: skip
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *arguments], cwd=root, env=os.environ | people | settings, check=True, capture_output=True)
