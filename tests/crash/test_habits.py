"""Any commands in any order: what is done stays done, once, and nothing is done unasked."""

from pathlib import Path

import pytest

from tests.crash.habits import wrong_with


@pytest.mark.parametrize("seed", range(4))
def test_any_commands_in_any_order_keep_what_was_promised(tmp_path: Path, seed: int) -> None:
    assert wrong_with(tmp_path, seed, 10) == []
