"""Threads that hang (a disk, a name server) hold up neither other work nor the end of the process."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from backstay_agent.threads import Loop, in_thread, shared

MANY = 64
"""More than any pool of asyncio's has."""
LIFE = """
import asyncio, threading
from backstay_agent.threads import in_thread, live_and_exit
async def life():
    for_ever = threading.Event().wait
    asyncio.get_running_loop().run_in_executor(None, for_ever)
    asyncio.get_running_loop().create_task(in_thread(for_ever))
    await asyncio.sleep(0.1)
    print("told", flush=True)
    {end}
live_and_exit(life())
"""


@pytest.fixture
def hangs() -> Iterator[threading.Event]:
    hangs = threading.Event()
    yield hangs
    hangs.set()


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        pytest.param("asyncio.current_task().cancel(); await asyncio.sleep(1)", 0, "", id="told to end"),
        pytest.param("return", 0, "", id="at its end"),
        pytest.param("assert False, 'a broken invariant'", 1, "a broken invariant", id="broken"),
    ],
)
def test_a_process_ends_whatever_its_threads_do(end: str, code: int, said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LIFE.format(end=end)], capture_output=True, text=True, timeout=20, check=False
    )
    assert (ended.returncode, ended.stdout) == (code, "told\n") and said in ended.stderr


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio does so by itself")
def test_the_end_of_a_child_costs_no_thread() -> None:
    life = """
import asyncio, threading
from backstay_agent.threads import live_and_exit
async def life():
    child = await asyncio.create_subprocess_exec("sh", "-c", "read line; exit 3", stdin=asyncio.subprocess.PIPE)
    print(threading.active_count(), end=" ")
    child.stdin.close()
    print(await child.wait(), flush=True)
live_and_exit(life())
"""
    ended = subprocess.run([sys.executable, "-c", life], capture_output=True, text=True, timeout=20, check=False)
    assert (ended.stdout, ended.stderr) == ("1 3\n", "")


def test_what_hangs_holds_up_no_other_work_however_much_of_it_there_is(hangs: threading.Event) -> None:
    async def life() -> int:
        for _ in range(MANY):
            asyncio.get_running_loop().create_task(in_thread(hangs.wait))
        async with asyncio.timeout(5):
            return await in_thread(lambda: 7)

    with asyncio.Runner(loop_factory=Loop) as loop:
        assert loop.run(life()) == 7


def test_names_that_nobody_resolves_hold_up_no_other_name(
    hangs: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def resolve(host: str, *_: object) -> list[object]:
        asked.append(host)
        if host != "well.example":
            hangs.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def life() -> object:
        loop = asyncio.get_running_loop()
        dead = [loop.create_task(loop.getaddrinfo(f"dead-{number % 2}.example", 80)) for number in range(MANY)]
        async with asyncio.timeout(5):
            found = await loop.getaddrinfo("well.example", 80)
        assert not any(task.done() for task in dead)
        return found

    with asyncio.Runner(loop_factory=Loop) as loop:
        assert loop.run(life()) == [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 80))]
    assert sorted(asked) == ["dead-0.example", "dead-1.example", "well.example"], "one look for all who ask the same"


def test_what_it_raises_is_raised_and_what_is_shared_is_asked_anew_afterwards() -> None:
    answers = iter((OSError("no route"), 7))

    def ask() -> int:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with pytest.raises(OSError, match="no route"):
        asyncio.run(shared("name", ask))
    assert asyncio.run(shared("name", ask)) == 7


def test_who_is_cancelled_leaves_it_to_the_others(hangs: threading.Event) -> None:
    def ask() -> int:
        hangs.wait()
        return 7

    async def life() -> int:
        one, two = (asyncio.create_task(shared("name", ask)) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        hangs.set()
        return await two

    assert asyncio.run(life()) == 7
