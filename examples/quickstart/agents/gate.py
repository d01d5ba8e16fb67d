"""Holds the facts to the project's limits.

`judge` is the agent: it writes what was measured beside what is allowed, and succeeds once it has done so. Whether
the limits are kept is for the check to decide, `python3 -m agents.gate`, which names each limit that is not.
"""

import operator
import sys
from collections.abc import Mapping
from typing import Any

from agents.facts import load, save


def measured(name: str) -> float:
    """The number that a dotted name means, such as `functions.longest_lines`; of a list, how long it is.

    Raises:
        KeyError: There is no such fact.
    """
    file, *keys = name.split(".")
    value: Any = load(file)
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            raise KeyError(f"no fact is called {name!r}: {key!r} is not among {file}'s")
        value = value[key]
    if isinstance(value, list | dict):
        return len(value)
    return float(value) if isinstance(value, float) else int(value)


def judge(at_most: Mapping[str, float], at_least: Mapping[str, float]) -> dict[str, Any]:
    """Compare every limited fact with its limit.

    Args:
        at_most: The highest value that each of these facts may have.
        at_least: The lowest one.
    """
    rows = [
        {"fact": name, "rule": rule, "limit": limit, "measured": value, "kept": kept(value, limit)}
        for rule, limits, kept in (("at most", at_most, operator.le), ("at least", at_least, operator.ge))
        for name, limit in limits.items()
        for value in [measured(name)]
    ]
    broken = sum(not row["kept"] for row in rows)
    save("gate", {"limits": rows, "broken": broken})
    return {"limits": len(rows), "broken": broken}


def main() -> int:
    """Fail for each limit that is not kept, by name."""
    rows = load("gate")["limits"]
    broken = [row for row in rows if not row["kept"]]
    for row in broken:
        print(f"{row['fact']} is {row['measured']}, but may be {row['rule']} {row['limit']}", file=sys.stderr)
    print(f"{len(rows) - len(broken)} of {len(rows)} limits kept")
    return 1 if broken or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
