"""What has changed since a host was chosen keeps what is new here from being started, and nothing else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backstay_agent.drivers.base import StartFailed
from backstay_agent.run import tools


@pytest.mark.parametrize(
    ("begun_at_s", "may_run", "drifted", "is_refused"),
    [
        pytest.param(0.0, False, "web.conf is another", True, id="it is to run here for the first time"),
        pytest.param(0.0, False, "", False, id="all is as it was"),
        pytest.param(5.0, False, "web.conf is another", False, id="it has run here in this epoch: it is restarted"),
        pytest.param(0.0, True, "web.conf is another", False, id="it may run already"),
    ],
)
def test_an_edit_keeps_what_has_run_here_from_nothing(
    monkeypatch: pytest.MonkeyPatch, begun_at_s: float, may_run: bool, drifted: str, is_refused: bool
) -> None:
    async def allowed(*asked: object) -> None:
        await asyncio.sleep(0)

    async def looked(record: object) -> str:
        await asyncio.sleep(0)
        return drifted

    monkeypatch.setattr(tools, "must_be_allowed", allowed)
    record = cast(Any, SimpleNamespace(begun_at_s=begun_at_s, may_run=may_run))

    async def put_back(record: object) -> str:
        await asyncio.sleep(0)
        return ""

    known = cast(Any, SimpleNamespace(drifted=looked, take_back=put_back))
    asked = tools.must_be_fit(known, record, [], lambda why: None)
    if is_refused:
        with pytest.raises(StartFailed, match=drifted):
            asyncio.run(asked)
    else:
        asyncio.run(asked)
