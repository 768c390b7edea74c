"""Watch streams over HTTP: believed line by line, and silence is taken for their end."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from backstay_api.client.errors import ApiError, Forbidden, Gone, Malformed, OutcomeUnknown, ServerError
from backstay_api.objects.kinds import LEASES
from backstay_testing.scripted_server import LEASE, ThenCut, a_server, an_api, answer, open_stream, refusal


def stream(*pieces: bytes) -> bytes:
    return open_stream(*pieces) + b"0\r\n\r\n"


def event(type_: str = "MODIFIED", body: object = LEASE) -> bytes:
    return json.dumps({"type": type_, "object": body}).encode() + b"\n"


async def watched(script: bytes | None, **options: Any) -> tuple[list[Any], ApiError | None]:
    """Everything one watch told, and how it ended."""
    items: list[Any] = []
    async with a_server(script) as server, an_api(server) as api:
        try:
            async with aclosing(api.watch(LEASES, "hosts", resource_version="1", **options)) as events:
                async for item in events:
                    items.append(item)
        except ApiError as error:
            return items, error
    return items, None


def _pieces(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


@pytest.mark.parametrize(
    ("script", "told", "ended_by"),
    [
        pytest.param(stream(event(), event()), 2, None, id="a stream that the server ends"),
        pytest.param(stream(*_pieces(event() + event(), 7)), 2, None, id="lines in many small chunks"),
        pytest.param(stream(event() + event() + event()), 3, None, id="many lines in one chunk"),
        pytest.param(ThenCut(open_stream(event(), event()[:20])), 1, OutcomeUnknown, id="cut in the middle of a line"),
        pytest.param(ThenCut(open_stream(event())), 1, OutcomeUnknown, id="cut between lines"),
        pytest.param(stream(event(), event()[:20]), 1, Malformed, id="ended in the middle of a line"),
        pytest.param(stream(event(), b"{nonsense}\n"), 1, Malformed, id="a line that is not JSON"),
        pytest.param(stream(event(), b"[]\n"), 1, Malformed, id="a line that is no event"),
        pytest.param(stream(event("SURPRISE")), 0, Malformed, id="an event of unknown type"),
        pytest.param(stream(event(body={"metadata": {"name": "n1"}})), 0, Malformed, id="an event without a version"),
        pytest.param(stream(event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})), 1, None, id="a bookmark"),
        pytest.param(stream(event("ERROR", {"code": 410, "reason": "Expired"})), 0, Gone, id="410 inside"),
        pytest.param(stream(event("ERROR", {"code": 500})), 0, ServerError, id="500 inside"),
        pytest.param(refusal(410, "Expired"), 0, Gone, id="410 at once"),
        pytest.param(refusal(403), 0, Forbidden, id="403 at once"),
        pytest.param(answer(b"ok"), 0, Malformed, id="something else than a stream"),
    ],
)
def test_a_stream_is_believed_line_by_line(script: bytes, told: int, ended_by: type[ApiError] | None) -> None:
    items, error = asyncio.run(watched(script))
    assert len(items) == told
    assert type(error) is (ended_by or type(None))


def test_a_silent_stream_is_taken_for_dead() -> None:
    items, error = asyncio.run(watched(open_stream(event()), inactivity_s=0.5))
    assert len(items) == 1
    assert isinstance(error, OutcomeUnknown) and "silent for 0.5 s" in error.message
