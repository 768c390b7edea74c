"""Programs that only answer a question."""

import asyncio
from pathlib import Path

import pytest

from backstay_agent.drivers.tools.contained_programs import run_program


def test_where_memory_runs_out_it_goes_before_us(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Into a file here: only who may protect itself from the kernel could see the real one change."""
    score = tmp_path / "oom_score_adj"
    score.write_text("-900")
    monkeypatch.setattr("backstay_agent.drivers.tools.contained_programs._OOM_SCORE", score)
    assert asyncio.run(run_program(("/bin/cat", str(score)))).words == "0"
