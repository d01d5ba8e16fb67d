#!/usr/bin/env python3
"""A script agent in Python: finds links in Markdown files that lead to files which do not exist.

The task's inputs: `files`, patterns of the files to check (default: every `*.md` of the project). Passes on `checked`
and `broken`; fails if a link is broken. Standard library only, so that any Python can run it.
"""

import json
import re
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
FAILED, MISCONFIGURED, BAD_TASK = 1, 2, 3


def broken_links(file: Path) -> list[str]:
    """Name each link of a file that leads nowhere; links to other places than files are not followed."""
    text = CODE.sub("", file.read_text(encoding="utf-8", errors="replace"))
    targets = [target.partition("#")[0] for target in LINK.findall(text)]
    return [f"{file}: {target}" for target in targets if is_file_link(target) and not (file.parent / target).exists()]


def is_file_link(target: str) -> bool:
    """Whether a link leads to a file beside ours."""
    return bool(target) and "://" not in target and not target.startswith(("mailto:", "/"))


def report(status: str, **fields: object) -> None:
    """Print the report: one JSON object, the only thing that goes to stdout."""
    print(json.dumps({"status": status, **fields}))


def main() -> int:
    """Do the task that stands on stdin."""
    try:
        task = json.load(sys.stdin)
    except ValueError as error:
        print(f"this agent wants a task as JSON on stdin: {error}", file=sys.stderr)
        return MISCONFIGURED
    patterns = task["inputs"].get("files", ["**/*.md"])
    files = sorted({file for pattern in patterns for file in Path().glob(pattern) if file.is_file()})
    if not files:
        report("failed", error=f"no file matches {', '.join(patterns)}")
        return BAD_TASK
    broken: list[str] = []
    for number, file in enumerate(files, 1):
        print(f"{number}/{len(files)} {file}", file=sys.stderr)
        broken += broken_links(file)
    outputs = {"checked": len(files), "broken": broken}
    if broken:
        report("failed", error=f"broken links ({len(broken)}):\n" + "\n".join(broken), outputs=outputs)
        return FAILED
    report("success", output=f"all links of {len(files)} files lead somewhere", outputs=outputs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
