"""Publishes the reviewed report: `python3 -m agents.publish` copies what the seal names to `out/published`.

The new copy takes the old one's place only when it is complete.
"""

import os
import shutil
import sys

from agents.facts import OUT, pass_on, write
from agents.seal import NAME, checksum, faults, sealed
from agents.wording import visible

TARGET = OUT / "published"
DRAFT = OUT / ".published"


def main() -> int:
    """Copy the sealed files, with a note of what the reviewer said."""
    if wrong := faults(OUT):
        print("\n".join(wrong), file=sys.stderr)
        return 1
    shutil.rmtree(DRAFT, ignore_errors=True)
    for name in [*sealed(OUT), NAME]:
        (DRAFT / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(OUT / name, DRAFT / name)
    said = visible(os.environ.get("REVIEW", "")) or "(the reviewer left no words)"
    value = checksum(OUT / NAME)
    write(DRAFT / "PUBLISHED.md", f"# Published\n\n- Review: {said}\n- Checksum of {NAME}: {value}\n")
    shutil.rmtree(TARGET, ignore_errors=True)
    DRAFT.rename(TARGET)
    pass_on(published=str(TARGET), sha256=value)
    print(f"{TARGET} has the report; {NAME} is {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
