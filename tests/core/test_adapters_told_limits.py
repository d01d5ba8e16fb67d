"""What agent programs say when an account is used up, in sentences for people: it is read when the limit ends."""

import json
from typing import Any

import pytest

from orchestration.adapters import replay
from tests.core.adapters import preset

BEGUN = {"type": "system", "subtype": "init", "session_id": "s-1"}


@pytest.mark.parametrize("is_error", [True, False])
@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Claude AI usage limit reached|1795200000", {"resets_at": "2026-11-20T18:40:00+00:00"}),
        ("You've hit your limit · resets 3pm (America/Santiago)", "0001-01-01T15:00:00 America/Santiago"),
        ("You've hit your session limit · resets 3:45pm", "0001-01-01T15:45:00"),
        ("You've hit your weekly limit · resets Nov 25, 2pm (Europe/Berlin)", "0001-11-25T14:00:00 Europe/Berlin"),
        ("Claude usage limit reached. Your limit will reset at 3pm (UTC).", "0001-01-01T15:00:00 UTC"),
        ("5-hour limit reached ∙ resets 12:30am", "0001-01-01T00:30:00"),
        ("Weekly limit reached", {}),
    ],
)
def test_claude_code_names_the_hour_and_its_zone(text: str, known: str | dict[str, Any], is_error: bool) -> None:
    end = {"type": "result", "subtype": "success", "is_error": is_error, "result": text, "session_id": "s-1"}
    lines = [json.dumps(event).encode() for event in (BEGUN, end)]
    found = replay(preset("claude-code"), lines, exit_code=int(is_error))
    assert found.failure == "rate_limited"
    told = {key: value for key, value in found.metadata.items() if key.startswith(("resets", "retry"))}
    assert told == ({"resets_clock": known} if isinstance(known, str) else known)
