"""Looks at a file system that hangs: given up, never twice at once, and nobody else waits."""

import asyncio
import threading

import pytest

from backstay_agent.drivers.tools import file_system_looks
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look


def test_a_look_that_hangs_is_given_up_and_not_tried_twice_at_once() -> None:
    hangs, tries = threading.Event(), []

    def how() -> bool:
        tries.append(1)
        hangs.wait()
        return True

    async def story() -> None:
        for _again in range(3):
            with pytest.raises(NoAnswer, match=r"/mnt/dead does not answer within 0\.05 s"):
                await look("/mnt/dead", how, limit_s=0.05)
        assert len(tries) == 1
        assert await look("/usr/bin/true", lambda: "seen") == "seen", "others go on"
        hangs.set()
        assert await look("/mnt/dead", how, limit_s=5)

    asyncio.run(story())


def test_looks_that_hang_do_not_hold_up_the_event_loop_nor_grow_without_end() -> None:
    hangs = threading.Event()

    async def story() -> None:
        began_s = asyncio.get_running_loop().time()
        waiting = [
            look(f"/mnt/{number}", hangs.wait, limit_s=0.1) for number in range(file_system_looks.MOST_AT_ONCE + 5)
        ]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(answer, NoAnswer) for answer in answers)
        assert asyncio.get_running_loop().time() - began_s < 2
        assert (
            sum(thread.name.startswith("look at /mnt/") for thread in threading.enumerate())
            <= file_system_looks.MOST_AT_ONCE
        )
        hangs.set()

    asyncio.run(story())
    for thread in threading.enumerate():
        if thread.name.startswith("look at /mnt/"):
            thread.join(5)  # the next test finds them gone


def test_a_look_tells_what_it_met() -> None:
    def how() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        asyncio.run(look("/root/x", how))
