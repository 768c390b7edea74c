"""How each kind of probe asks: real sockets and real programs, on this machine only."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backstay_agent.drivers.tools import cgroups
from backstay_agent.run.asking import QUESTIONS, RealAsker
from backstay_agent.run.asking.web import http_request, http_verdict
from backstay_api.objects.plain import Exec, HttpGet, HttpHeader, OcfDepth, Probe, TcpSocket
from backstay_api.objects.probe_kinds import PROBE_KINDS

# How each kind asks: real sockets and real programs, on this machine only.


def ask(probe: Probe) -> str | None:
    async def limited() -> str | None:
        async with asyncio.timeout(10):
            return await RealAsker().ask(probe)

    return asyncio.run(limited())


def ask_server(answer: bytes, make: Callable[[int], Probe]) -> tuple[str | None, bytes]:
    """Ask a server that reads one request and answers with these bytes."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def story() -> str | None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, asyncio.timeout(10):
            return await RealAsker().ask(make(server.sockets[0].getsockname()[1]))

    return asyncio.run(story()), b"".join(requests)


def an_http_probe(port: int) -> Probe:
    headers = (HttpHeader(name="X-Test", value="1"), HttpHeader(name="host", value="shop.example"))
    return Probe(name="p", http_get=HttpGet(port=port, path="/health?x=1", http_headers=headers))


def test_tcp_that_is_open() -> None:
    why, _ = ask_server(b"", lambda port: Probe(name="p", tcp_socket=TcpSocket(port=port)))
    assert why is None


def test_tcp_that_is_closed() -> None:
    why = ask(Probe(name="p", tcp_socket=TcpSocket(port=1)))
    assert why is not None and "Connect call failed" in why


def test_an_http_request_says_what_was_asked_for() -> None:
    why, request = ask_server(b"HTTP/1.1 204 No Content\r\n\r\n", an_http_probe)
    assert why is None
    assert request.startswith(b"GET /health?x=1 HTTP/1.1\r\n")
    assert b"\r\nhost: shop.example\r\n" in request and request.lower().count(b"host:") == 1
    assert b"\r\nX-Test: 1\r\n" in request


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", None),
        (b"HTTP/1.1 399 Odd\r\n\r\n", None),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "the answer is 404 Not Found"),
        (b"HTTP/1.1 503 \x1b[31m\r\n\r\n", "the answer is 503 ?[31m"),
        (b"HTTP/1.1 2000 x\r\n\r\n", "the answer is not HTTP"),
        (b"SSH-2.0-OpenSSH_9\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK", "the answer is not HTTP"),
        (b"", "the answer is not HTTP"),
        (b"x" * 200_000, "the answer is not HTTP"),
    ],
)
def test_http_answers(answer: bytes, why: str | None) -> None:
    assert ask_server(answer, an_http_probe)[0] == why


@pytest.mark.parametrize("value", ["a\r\nX-Admin: yes", "a\nb"])
def test_no_header_can_smuggle_another(value: str) -> None:
    with pytest.raises(AssertionError):
        http_request(HttpGet(port=1, http_headers=(HttpHeader(name="A", value=value),)))


def test_a_v6_host_stands_in_brackets() -> None:
    assert b"\r\nHost: [::1]:80\r\n" in http_request(HttpGet(port=80, host="::1"))
    assert http_verdict(b"HTTP/1.1 200 OK\r\n") is None


def a_program(*argv: str) -> Probe:
    return Probe(name="p", exec=Exec(command=argv))


def test_a_program_that_is_content() -> None:
    assert ask(a_program("/bin/true")) is None


def test_a_program_says_why_not() -> None:
    assert (
        ask(a_program("/bin/sh", "-c", "echo one; echo two >&2; exit 3")) == "/bin/sh exited with 3; it said: one / two"
    )


def test_words_are_data() -> None:
    hostile = ["$(id)", "`id`", "; id", "a\nb", "%s", "$HOME", "-x", "ё"]
    why = ask(a_program("/bin/sh", "-c", 'printf "%s|" "$@"; exit 1', "sh", *hostile))
    assert why == "/bin/sh exited with 1; it said: $(id)|`id`|; id|a / b|%s|$HOME|-x|ё|"


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("true",), "'true' is not an absolute path"),
        (("/bin/echo", "a\0b"), "a command must not contain NUL"),
        (("/nowhere/x",), "No such file"),
        (("/etc/passwd",), "Permission denied"),
    ],
)
def test_programs_that_cannot_be_run(argv: tuple[str, ...], why: str) -> None:
    assert why in (ask(a_program(*argv)) or "")


def test_the_agents_environment_is_not_handed_on(tmp_path: Path) -> None:
    os.environ["BACKSTAY_SECRET"] = "s3cret"
    try:
        assert "s3cret" not in (ask(a_program("/bin/sh", "-c", "env; exit 1")) or "")
    finally:
        del os.environ["BACKSTAY_SECRET"]


def test_output_without_end_is_not_kept() -> None:
    why = ask(a_program("/bin/sh", "-c", "yes | head -c 5000000; exit 1"))
    assert why is not None and len(why) < 600


def test_a_probe_leaves_nothing_running(tmp_path: Path) -> None:
    """A child that holds the pipe open; the pid it wrote is gone when the answer is there."""
    note = tmp_path / "pid"
    script = f"sleep 1000 & echo $! > {note}; exit 0"
    assert ask(a_program("/bin/sh", "-c", script)) is None
    assert _is_gone(int(note.read_text()))


def test_a_probe_leaves_nothing_running_that_went_into_a_session_of_its_own(tmp_path: Path) -> None:
    if (group := cgroups.own()) is None or not os.access(group, os.W_OK):
        pytest.skip("no control group (cgroup v2) that this process may divide: run as root on a host that has them")
    note = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {note}; exec sleep 1000' & while [ ! -s {note} ]; do sleep 0.01; done"
    assert ask(a_program("/bin/sh", "-c", script)) is None
    assert _is_gone(int(note.read_text()))


def test_a_probe_that_is_given_up_is_killed_with_all_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    probe = a_program("/bin/sh", "-c", f"sleep 1000 & echo $! > {note}.new; mv {note}.new {note}; wait")

    async def story() -> None:
        asking = asyncio.create_task(RealAsker().ask(probe))
        async with asyncio.timeout(10):
            while not note.exists():
                await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(story())
    assert _is_gone(int(note.read_text()))


def test_what_only_the_resources_own_driver_can_ask_is_handed_to_it() -> None:
    probe = Probe(name="p", ocf=OcfDepth(depth=10))
    asked: list[Probe] = []

    async def own(one: Probe) -> str | None:
        asked.append(one)
        return "its agent says no"

    assert ask(probe) == "this kind of probe is not supported yet"
    assert asyncio.run(RealAsker(own).ask(probe)) == "its agent says no" and asked == [probe]


def test_each_kind_of_probe_is_asked_by_a_row_or_by_the_driver_of_its_resource() -> None:
    assert {kind.field for kind in PROBE_KINDS} == {*QUESTIONS, "ocf"}


def _is_gone(pid: int) -> bool:
    """Dead within seconds, even if nobody has reaped it yet. SIGKILL was sent; the kernel takes its time."""

    async def story() -> bool:
        async with asyncio.timeout(5):
            while _state(pid) not in "ZX":
                await asyncio.sleep(0.001)
        return True

    return asyncio.run(story())


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
