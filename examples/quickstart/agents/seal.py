"""Seals the report: `python3 -m agents.seal FOLDER` fails if the report in FOLDER is not the one that was made.

The seal is a plain list of checksums, so that anybody can check a copy without this program: `sha256sum -c SHA256SUMS`.
"""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from agents.facts import OUT, write

NAME = "SHA256SUMS"
TWO = 2


def checksum(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def seal(names: Iterable[str]) -> str:
    """Write the seal of these files of `out`; returns the seal's own checksum, which stands for all of them."""
    write(OUT / NAME, "".join(f"{checksum(OUT / name)}  {name}\n" for name in sorted(names)))
    return checksum(OUT / NAME)


def sealed(folder: Path) -> dict[str, str]:
    """The sealed files' names with their checksums.

    Raises:
        FileNotFoundError: The folder has no seal.
    """
    lines = (folder / NAME).read_text(encoding="utf-8").splitlines()
    return {name: value for value, name in (line.split("  ", 1) for line in lines)}


def faults(folder: Path) -> list[str]:
    """Which files of a folder are not what was sealed."""
    if not (folder / NAME).is_file():
        return [f"{folder} has no {NAME}"]
    wrong = []
    for name, value in sealed(folder).items():
        if not (folder / name).is_file():
            wrong.append(f"{folder / name} is not there")
        elif checksum(folder / name) != value:
            wrong.append(f"{folder / name} was changed after it was made")
    return wrong


def main(arguments: list[str]) -> int:
    """Check the seal of a folder; fail if it is broken."""
    if len(arguments) != TWO:
        print(f"usage: python3 -m agents.seal FOLDER, not {arguments[1:]}", file=sys.stderr)
        return TWO
    wrong = faults(Path(arguments[1]))
    print("\n".join(wrong) or "the seal is whole", file=sys.stderr if wrong else sys.stdout)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
