"""What the HTTP client makes of servers and networks that misbehave: told by a tiny server that does as scripted."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from backstay_api.client.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    OutcomeUnknown,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from backstay_api.client.http import HttpApi
from backstay_api.objects.kinds import LEASES
from backstay_testing.scripted_server import LEASE, SILENCE, ThenCut, a_server, an_api, answer, open_stream, refusal

HALF_JSON = b'{"kind": "Lease", "metad'
Call = Callable[..., Awaitable[Any]]


CUT = ThenCut()


def half_a_body() -> ThenCut:
    return ThenCut(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + HALF_JSON)


async def read(api: HttpApi, **options: Any) -> Any:
    return await api.get(LEASES, "n1", "hosts", **options)


async def write(api: HttpApi, **options: Any) -> Any:
    return await api.replace(LEASES, LEASE, **options)


@pytest.mark.parametrize("call", [read, write])
@pytest.mark.parametrize(
    "half",
    [
        pytest.param(CUT, id="cut before any answer"),
        pytest.param(ThenCut(b"HTTP/1.1 200 OK\r\nContent-Le"), id="cut in the head"),
        pytest.param(half_a_body(), id="cut in the body"),
        pytest.param(answer(HALF_JSON), id="half JSON in a whole body"),
        pytest.param(answer({}), id="JSON that is no object of Kubernetes"),
        pytest.param(answer([1]), id="JSON that is a list"),
        pytest.param(ThenCut(open_stream(HALF_JSON)), id="cut between chunks"),
        pytest.param(ThenCut(open_stream(json.dumps(LEASE).encode())), id="whole JSON but no last chunk"),
        pytest.param(ThenCut(b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(LEASE).encode()), id="an answer without an end"),
        pytest.param(ThenCut(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), id="not HTTP"),
        pytest.param(answer(LEASE, status=302, headers="Location: /\r\n"), id="a redirect"),
    ],
)
def test_half_an_answer_is_never_believed(call: Call, half: bytes) -> None:
    async def story() -> None:
        async with a_server(half) as server, an_api(server) as api:
            with pytest.raises(OutcomeUnknown):
                await call(api)
            assert len(server.requests) == 1, "sent once, never again"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("said", "reading", "writing"),
    [
        (refusal(401), Unauthorized, Unauthorized),
        (refusal(403), Forbidden, Forbidden),
        (refusal(409, "Conflict"), Conflict, Conflict),
        (refusal(410, "Expired"), Gone, Gone),
        (refusal(429), TooManyRequests, TooManyRequests),
        (refusal(500), ServerError, OutcomeUnknown),
        (refusal(503), ServerError, OutcomeUnknown),
        (refusal(504, "Timeout"), ServerError, OutcomeUnknown),
        (answer(b"<html>bad gateway", status=502), ServerError, OutcomeUnknown),
        (refusal(408), OutcomeUnknown, OutcomeUnknown),
        (refusal(418), ApiError, ApiError),
    ],
    ids=lambda value: value.split()[1].decode() if isinstance(value, bytes) else "",
)
def test_each_answer_has_its_error(said: bytes, reading: type[ApiError], writing: type[ApiError]) -> None:
    async def story() -> None:
        async with a_server(*[said] * 4) as server, an_api(server) as api:
            for call, expected in ((read, reading), (write, writing)):
                with pytest.raises(ApiError) as caught:
                    await call(api)
                assert type(caught.value) is expected
                assert caught.value.code == int(said.split()[1])

    asyncio.run(story())


def test_retry_after_is_handed_on() -> None:
    async def story() -> None:
        async with a_server(refusal(429, headers="Retry-After: 7\r\n")) as server, an_api(server) as api:
            with pytest.raises(TooManyRequests) as caught:
                await write(api)
            assert caught.value.retry_after_s == 7.0

    asyncio.run(story())


def test_a_read_on_a_connection_that_was_just_closed_is_sent_again() -> None:
    async def story() -> None:
        async with a_server(answer(), CUT, answer()) as server, an_api(server) as api:
            await read(api)
            assert await read(api) == LEASE
            assert server.requests == ["GET", "GET", "GET"] and server.connections == 2

    asyncio.run(story())


def test_a_write_on_a_connection_that_was_just_closed_is_not_sent_again() -> None:
    async def story() -> None:
        async with a_server(answer(), CUT, answer()) as server, an_api(server) as api:
            await read(api)
            with pytest.raises(OutcomeUnknown):
                await write(api)
            assert server.requests == ["GET", "PUT"]

    asyncio.run(story())


def test_a_read_that_was_answered_in_half_is_not_sent_again() -> None:
    async def story() -> None:
        async with a_server(answer(), half_a_body(), answer()) as server, an_api(server) as api:
            await read(api)
            with pytest.raises(OutcomeUnknown):
                await read(api)
            assert server.requests == ["GET", "GET"]

    asyncio.run(story())


def test_a_connection_that_the_server_closed_while_it_was_idle_is_not_used() -> None:
    async def story() -> None:
        async with a_server(answer(), answer()) as server, an_api(server) as api:
            await read(api)
            server.cut_all()
            await _until(lambda: not api._lane._idle[0].is_idle)
            assert await write(api) == LEASE
            assert server.connections == 2

    asyncio.run(story())


def test_what_a_server_says_unasked_is_never_taken_for_an_answer() -> None:
    async def story() -> None:
        async with a_server(answer(), answer()) as server, an_api(server) as api:
            await read(api)
            server.say(answer({**LEASE, "spec": {"holderIdentity": "a lie"}}))
            await _until(lambda: not api._lane._idle[0].is_idle)
            assert await write(api) == LEASE
            assert server.connections == 2

    asyncio.run(story())


def test_one_connection_serves_many_requests_and_lanes_have_their_own() -> None:
    async def story() -> None:
        async with a_server(*[answer()] * 5) as server, an_api(server) as api:
            for _ in range(3):
                await write(api)
            assert server.connections == 1
            await write(api.lane("lease"))
            await write(api.lane("lease"))
            assert server.connections == 2

    asyncio.run(story())


def test_a_stuck_write_delays_no_lease() -> None:
    async def story() -> None:
        async with a_server(SILENCE, answer()) as server, an_api(server, connections_per_lane=1) as api:
            stuck = asyncio.create_task(write(api, timeout_s=30))
            await _until(lambda: len(server.requests) == 1)
            assert await write(api.lane("lease"), timeout_s=5) == LEASE
            with pytest.raises(Unreachable):
                await write(api, timeout_s=0.05)  # no room in that lane: it was never sent
            stuck.cancel()

    asyncio.run(story())


def test_no_answer_in_time_is_an_unknown_outcome_and_the_connection_is_not_used_again() -> None:
    async def story() -> None:
        async with a_server(SILENCE, answer()) as server, an_api(server) as api:
            with pytest.raises(OutcomeUnknown, match=r"no answer in 0\.5 s"):
                await write(api, timeout_s=0.5)
            assert await write(api) == LEASE
            assert server.connections == 2

    asyncio.run(story())


def test_after_silence_no_other_connection_to_that_server_is_trusted() -> None:
    async def story() -> None:
        async with a_server(answer(), answer(), SILENCE, answer()) as server, an_api(server) as api:
            await asyncio.gather(write(api), write(api))
            with pytest.raises(OutcomeUnknown):
                await write(api, timeout_s=0.5)
            await write(api)
            assert server.connections == 3

    asyncio.run(story())


def test_a_refused_request_that_found_no_second_connection_was_certainly_not_carried_out() -> None:
    async def story() -> None:
        async with a_server(refusal(401), SILENCE) as server, an_api(server, connections_per_lane=1) as api:
            first = asyncio.create_task(write(api, timeout_s=1))
            second = asyncio.create_task(write(api, timeout_s=30))  # takes the only place when the first gets its 401
            with pytest.raises(Unreachable):
                await first
            second.cancel()

    asyncio.run(story())


def test_where_nobody_listens_nothing_was_sent() -> None:
    async def story() -> None:
        async with a_server() as server:
            pass
        async with an_api(server) as api:
            with pytest.raises(Unreachable):
                await write(api)

    asyncio.run(story())


def test_the_next_server_is_used_where_one_does_not_accept_and_remembered() -> None:
    async def story() -> None:
        async with a_server() as dead:
            pass
        async with a_server(answer(), answer()) as living, an_api(dead, living) as api:
            assert await write(api) == LEASE
            assert await write(api.lane("lease")) == LEASE

    asyncio.run(story())


def test_after_silence_of_one_server_the_next_one_is_asked() -> None:
    async def story() -> None:
        async with a_server(SILENCE) as silent, a_server(answer()) as living, an_api(silent, living) as api:
            with pytest.raises(OutcomeUnknown):
                await write(api, timeout_s=0.5)
            assert await write(api) == LEASE

    asyncio.run(story())


def test_a_rotated_token_is_read_again_when_the_old_one_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        token = tmp_path / "token"
        token.write_text("old\n")
        async with a_server(answer(), refusal(401), answer()) as server, an_api(server, token_file=str(token)) as api:
            await write(api)
            token.write_text("new\n")
            assert await write(api) == LEASE
            assert server.tokens == ["old", "old", "new"]

    asyncio.run(story())


def test_a_token_that_stays_refused_is_tried_once_more_and_no_more() -> None:
    async def story() -> None:
        async with a_server(*[refusal(401)] * 3) as server, an_api(server) as api:
            with pytest.raises(Unauthorized):
                await write(api)
            assert len(server.requests) == 2

    asyncio.run(story())


def test_an_answer_beyond_all_bounds_is_refused() -> None:
    async def story() -> None:
        async with a_server(answer(b" " * 3000)) as server, an_api(server, max_answer_bytes=2000) as api:
            with pytest.raises(OutcomeUnknown, match="larger than 2000"):
                await read(api)

    asyncio.run(story())


# --- which cluster it is ---------------------------------------------------------------------------------------------


def of_cluster(uid: str) -> bytes:
    return answer({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": uid}})


def test_a_server_of_another_cluster_is_told_nothing_and_the_next_one_is_asked() -> None:
    async def story() -> None:
        async with a_server(of_cluster("theirs")) as other, a_server(of_cluster("ours"), answer(), answer()) as good:
            async with an_api(other, good, cluster="ours") as api:
                assert await write(api) == LEASE == await read(api.lane("another"))
            assert (other.requests, good.requests) == (["GET"], ["GET", "PUT", "GET"]), "each is asked once"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("first", "why"),
    [
        pytest.param(
            of_cluster("theirs"), "another cluster: its kube-system has the UID theirs, ours ours", id="another"
        ),
        pytest.param(refusal(500), r"does not say which cluster it is of \(answered 500\)", id="in trouble"),
        pytest.param(answer({"kind": "Namespace"}), "does not say which cluster", id="no namespace"),
        pytest.param(CUT, "does not say which cluster it is of: ", id="cut"),
    ],
)
def test_a_server_that_may_be_of_another_cluster_is_sent_nothing(first: bytes, why: str) -> None:
    async def story() -> None:
        async with a_server(first) as server, an_api(server, cluster="ours") as api:
            with pytest.raises(Unreachable, match=why):
                await write(api)
            assert server.requests == ["GET"]

    asyncio.run(story())


@pytest.mark.parametrize("code", [401, 403])
def test_who_may_not_ask_which_cluster_it_is_is_kept_from_nothing_else(code: int) -> None:
    async def story() -> None:
        async with a_server(refusal(code), answer()) as server, an_api(server, cluster="ours") as api:
            assert await write(api) == LEASE

    asyncio.run(story())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)
