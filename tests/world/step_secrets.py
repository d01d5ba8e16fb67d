"""What the tests of pipelines' secrets share: where they are kept, and how they are searched for."""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration import (
    AsyncPipeline,
    RunResult,
    current_step,
)

ROOT = Path(__file__).parents[2]
NAMED = {
    "FROM_ENV": 'env-Zq7"w\\K2/plain+d9',
    "FROM_DIGITS": "4917263850",
    "FROM_DOTENV": "dotenv-Uk3;Ew8:Qa5",
    "FROM_COMMAND": "command-Hg2(Xs9)Pf7",
}
ALL = list(NAMED)
say = print  # functions of users print


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "FROM_ENV": NAMED["FROM_ENV"], "OTHER": NAMED["FROM_DIGITS"], **more}


def pipeline(root: Path, *steps: Any) -> AsyncPipeline:  # noqa: ANN401  # tasks of every kind
    return AsyncPipeline(list(steps), "p", directory=root, environment=environment())


def needles(secret: str) -> list[bytes]:
    once = json.dumps(secret)[1:-1]
    codes = []
    for before in range(3):
        code = base64.b64encode(b"x" * before + secret.encode()).rstrip(b"=")
        codes.append(code[4 if before else 0 : len(code) - len(code) % 4 - 4])
    return [*(text.encode() for text in (secret, once, json.dumps(once)[1:-1])), *codes]


def leaks(texts: Mapping[str, bytes], state: Path | None = None) -> list[str]:
    """Where a secret stands."""
    files = {} if state is None else {str(path): path.read_bytes() for path in state.rglob("*") if path.is_file()}
    return [
        f"{name} in {place}: …{data[max(0, data.find(needle) - 80) : data.find(needle)]!r}"
        for place, data in {**files, **texts}.items()
        for name, secret in NAMED.items()
        for needle in needles(secret)
        if needle in data
    ]


async def watched(one: AsyncPipeline, **options: Any) -> tuple[RunResult, bytes]:  # noqa: ANN401  # those of a run
    """Run it, and keep all that is streamed."""
    events: list[str] = []
    async with one.execute_streaming(**options) as stream:
        events += [json.dumps(event, default=repr) + repr(event) async for event in stream]
        result = await stream.result()
    return result, "\n".join(events).encode() + json.dumps(result.to_dict(), default=repr).encode()


def make_project(root: Path) -> Path:
    """A project whose secrets are kept in every way."""
    (root / "kept").mkdir(parents=True)
    (root / "kept" / "some.env").write_text(f"INSIDE='{NAMED['FROM_DOTENV']}'\n")
    (root / "kept" / "printed").write_text(NAMED["FROM_COMMAND"] + "\n")
    (root / "orchestration.yaml").write_text(
        "secrets:\n"
        "  FROM_DIGITS: {env: OTHER}\n"
        "  FROM_DOTENV: {dotenv: kept/some.env, key: INSIDE}\n"
        "  FROM_COMMAND: {command: cat kept/printed}\n"
    )
    return root


def mine() -> dict[str, str]:
    step = current_step()
    assert step is not None
    return dict(step.secrets)
