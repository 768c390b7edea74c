"""A gRPC health probe, held against what a real server (grpcio 1.8x) has sent, and against what is no answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import replace

import pytest

from backstay_agent.run.asking import RealAsker
from backstay_agent.run.asking.grpc_health import PREFACE, Frame, frame, grpc_status, request
from backstay_api.objects.plain import Grpc, Probe, Tls

SETTINGS = bytes.fromhex(
    "000018040000000000000400400000000500400000000600004000fe03000000010000040800000000"
    "00003f000100000004010000000000000408000000000000000005000008060000000000401c5334af14bfe8"
)
BEGUN = bytes.fromhex(
    "00004f0104000000012088400c636f6e74656e742d74797065106170706c69636174696f6e2f677270634014677270632d6163636570742d65"
    "6e636f64696e67176964656e746974792c206465666c6174652c20677a6970"
)
SERVING = bytes.fromhex(
    "0000070000000000010000000002080100001e010500000001400b677270632d7374617475730130000c677270632d6d65737361676500"
)
NOT_SERVING = SERVING.replace(b"\x08\x01", b"\x08\x02", 1)
NOT_FOUND = bytes.fromhex(
    "000005000000000001000000000000001e010500000001400b677270632d7374617475730135000c677270632d6d65737361676500"
)
UNIMPLEMENTED = bytes.fromhex(
    "0000510105000000012088400c636f6e74656e742d74797065106170706c69636174696f6e2f67727063400b677270632d73746174757302"
    "3132000c677270632d6d657373616765114d6574686f64206e6f7420666f756e6421"
)


def ask(
    *answers: bytes, service: str | None = None, then: Sequence[bytes] = (), ends: bool = True
) -> tuple[str | None, bytes]:
    """Ask a server that sends these bytes, and `then` these; what the probe says, and what it has sent."""
    sent: list[bytes] = []
    wanted = Grpc(port=1, service=service)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            sent.append(await reader.readexactly(len(request(wanted))))
            writer.write(b"".join(answers))
            for each in then:
                sent.append(await reader.readexactly(9 + 8))
                writer.write(each)
            if not ends:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def story() -> str | None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, asyncio.timeout(10):
            nonlocal wanted
            wanted = replace(wanted, port=server.sockets[0].getsockname()[1])
            return await RealAsker().ask(Probe(name="p", grpc=wanted))

    return asyncio.run(story()), b"".join(sent)


PADDED = frame(Frame.DATA, 0x8, 1, b"\x03\x00\x00\x00\x00\x02\x08\x01\x00\x00\x00")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param([SETTINGS, BEGUN, SERVING], None, id="serving"),
        pytest.param([SETTINGS, BEGUN, NOT_SERVING], "its health is NOT_SERVING", id="not serving"),
        pytest.param(
            [SETTINGS, BEGUN, NOT_FOUND], "the call failed: NOT_FOUND: it does not know this service", id="not found"
        ),
        pytest.param(
            [SETTINGS, UNIMPLEMENTED],
            "the call failed: UNIMPLEMENTED: it has no health service",
            id="no health service",
        ),
        pytest.param(
            [BEGUN, PADDED, frame(Frame.HEADERS, 0x5, 1, b"")], None, id="padded, and no status in the trailer"
        ),
        pytest.param([BEGUN, frame(Frame.DATA, 1, 1, bytes(5))], "its health is UNKNOWN", id="an empty message"),
        pytest.param([BEGUN, frame(Frame.DATA, 1, 1, b"")], "the call ended without an answer", id="no message"),
        pytest.param(
            [frame(Frame.RST_STREAM, 0, 1, b"\0\0\0\7")], "it refused the call (HTTP/2 error 7)", id="refused"
        ),
        pytest.param([frame(Frame.GOAWAY, 0, 0, bytes(7) + b"\2")], "it takes no calls (HTTP/2 error 2)", id="away"),
        pytest.param(
            [frame(Frame.GOAWAY, 0, 0, b"\x7f\xff\xff\xff" + bytes(4)), BEGUN, SERVING], None, id="away, after this one"
        ),
        pytest.param([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "the answer is not HTTP/2", id="HTTP/1.1"),
        pytest.param([frame(Frame.DATA, 0x8, 1, b"\x09")], "the answer is not HTTP/2", id="nothing but padding"),
        pytest.param([b""], "it closed the connection without an answer", id="nothing"),
        pytest.param([frame(Frame.PING, 1, 0, bytes(8)) * 9000], "the answer has no end", id="without end"),
    ],
)
def test_answers(answer: list[bytes], why: str | None) -> None:
    assert ask(*answer)[0] == why


def test_it_is_asked_for_the_service_that_is_named() -> None:
    _, sent = ask(SERVING, service="shop.Cart")
    assert sent.startswith(PREFACE) and b"/grpc.health.v1.Health/Check" in sent and b"application/grpc" in sent
    assert sent.endswith(b"\x00\x00\x00\x00\x0b\x0a\x09shop.Cart")


def test_a_ping_is_answered_while_the_answer_is_waited_for() -> None:
    why, sent = ask(frame(Frame.PING, 0, 0, b"pingping"), then=[BEGUN + SERVING])
    assert why is None and sent.endswith(frame(Frame.PING, 1, 0, b"pingping"))


def test_a_server_that_never_answers_is_left_when_the_time_is_over() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await RealAsker().ask(Probe(name="p", grpc=Grpc(port=port)))

    asyncio.run(story())


@pytest.mark.parametrize(
    ("block", "status"),
    [
        pytest.param("88400b677270632d737461747573023132", "12", id="plain"),
        pytest.param("20 88 00 88 9acac8b21234da8f 81 07", "0", id="in Huffman code"),
        pytest.param("00 88 9acac8b21234da8f 82 08bf", "12", id="both in Huffman code"),
        pytest.param("00 88 9acac8b5254207317f 01 30", "", id="another header"),
        pytest.param("5f 8b 1d75d0620d263d4c4d6564 00 88 9acac8b21234da8f 01 35", "5", id="after one of the table"),
        pytest.param("00 88 9acac8b21234da8f 01 07", "", id="no number"),
        pytest.param("00 ff", "", id="cut off"),
        pytest.param("00 7f ffffffffffffffff", "", id="longer than anything"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_the_status_among_the_headers(block: str, status: str) -> None:
    assert grpc_status(bytes.fromhex(block)) == status


def test_with_tls_it_offers_http2() -> None:
    assert ssl.HAS_ALPN and b"https" in request(Grpc(port=1, tls=Tls())) and b"https" not in request(Grpc(port=1))
