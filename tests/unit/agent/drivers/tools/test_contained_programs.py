"""Programs that only answer a question."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.drivers.tools.contained_programs import Answer, Questions, run_program


def test_where_memory_runs_out_it_goes_before_us(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Into a file here: only who may protect itself from the kernel could see the real one change."""
    score = tmp_path / "oom_score_adj"
    score.write_text("-900")
    monkeypatch.setattr("backstay_agent.drivers.tools.contained_programs._OOM_SCORE", score)
    assert asyncio.run(run_program(("/bin/cat", str(score)))).words == "0"


def test_while_a_question_hangs_in_the_kernel_no_other_about_the_same_is_begun(tmp_path: Path) -> None:
    """A fake run: a process that survives SIGKILL cannot be made by a test, what the kernel says of its group can."""
    events, asked, code = tmp_path / "cgroup.events", list[str](), [None, 0, 0, 0]

    async def run(argv: Sequence[str], **_: Any) -> Answer:
        asked.append(argv[0])
        return Answer(code.pop(0), "", tmp_path)

    async def story() -> None:
        questions = Questions(run)
        events.write_text("populated 1")
        await questions.ask("a", ["first"], limit_s=1)
        assert await questions.ask("a", ["not asked"], limit_s=1) is None
        await questions.ask("b", ["about another"], limit_s=1)
        events.write_text("populated 0")
        await questions.ask("a", ["later"], limit_s=1)
        events.write_text("populated 1")
        await questions.ask("a", ["one that ended holds up nobody"], limit_s=1)

    asyncio.run(story())
    assert asked == ["first", "about another", "later", "one that ended holds up nobody"]
