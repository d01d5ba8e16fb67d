"""`python -m tests.agents install [NAME…]` and `… list`: what scripts/agents runs."""

import argparse
import sys
import time

from tests.agents import programs


def _install(names: list[str]) -> int:
    """Bring each; one that cannot be brought does not keep the others from it."""
    status = 0
    for name in names:
        began = time.monotonic()
        if programs.find(name) is None:
            sys.stderr.write(f"orch: installing {name} for the tests (once; cached in {programs.cache_folder()})\n")
        try:
            program = programs.install(name)
        except programs.CannotInstall as reason:
            sys.stderr.write(f"orch: {reason}\n")
            status = 1
            continue
        if (seconds := time.monotonic() - began) >= 1:
            sys.stderr.write(f"orch: {name} {program.version} is there after {seconds:.0f} s\n")
    return status


def _list() -> int:
    for name in programs.NAMES:
        program = programs.find(name)
        sys.stdout.write(f"{name}: {' '.join(program.argv) if program else programs.why_missing(name)}\n")
    return 0


def main() -> int:
    """Read the words of the command line, do what they ask; 0 when all of it was done."""
    parser = argparse.ArgumentParser(prog="scripts/agents", description="The real agents that the tests drive.")
    commands = parser.add_subparsers(dest="command", required=True)
    bring = commands.add_parser("install", help="bring the pinned versions, once, into a cache outside the checkout")
    bring.add_argument("names", metavar="NAME", nargs="*", help=f"which: {', '.join(programs.NAMES)} (default: all)")
    bring.add_argument("--quick", action="store_true", help=f"only those of every run: {', '.join(programs.QUICK)}")
    commands.add_parser("list", help="where each is, or why it is not")
    words = parser.parse_args()
    if words.command == "list":
        return _list()
    unknown = [name for name in words.names if name not in programs.NAMES]
    if unknown:
        parser.error(f"no agent {unknown[0]!r}; there are {', '.join(programs.NAMES)}")
    return _install(words.names or list(programs.QUICK if words.quick else programs.NAMES))


if __name__ == "__main__":
    raise SystemExit(main())
