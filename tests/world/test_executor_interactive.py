"""A task for a person: handed over with the exact prompt, and nothing else happens."""

from pathlib import Path

from orchestration.executors.interactive import InteractiveExecutor
from tests.world.attempts import Ear, work_for


async def test_a_person_gets_the_exact_prompt(tmp_path: Path) -> None:
    ear = Ear()
    outcome = await InteractiveExecutor().execute(work_for(tmp_path, prompt="# T-1\n\nDo it.\n"), ear)
    assert outcome.needs_input
    assert not outcome.succeeded
    assert outcome.failure is None
    assert outcome.prompt == "# T-1\n\nDo it.\n"
    assert ear.heard == []
    assert not (tmp_path / "attempt").exists()
