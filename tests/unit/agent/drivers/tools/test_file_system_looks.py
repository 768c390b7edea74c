"""Looks at a file system that hangs: given up, never twice at once, nobody else waits, and the agent ends all the same."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from backstay_agent.drivers.tools import file_system_looks
from backstay_agent.drivers.tools.disk_space import no_room
from backstay_agent.drivers.tools.file_system_looks import MOST_AT_ONCE, MOST_LEFT_BEHIND, NoAnswer, left_behind, look
from backstay_testing.disks import a_disk, sh
from backstay_testing.looks import frozen, read_and_note, refused

AGENT = """
import asyncio, sys
from functools import partial
from pathlib import Path
from backstay_agent.drivers.tools.disk_space import no_room
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_agent.single_instance import alone
from backstay_agent.threads import live_and_exit

async def life(frozen):
    hangs = asyncio.create_task(look(str(frozen), partial(no_room, frozen)))
    print(await look("/proc", partial(Path("/proc").exists)), flush=True)
    {end}

with alone(Path(sys.argv[1]), Path(sys.argv[1]), wait=False):
    live_and_exit(life(Path(sys.argv[2])))
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted disk that is frozen: who writes to it hangs in the kernel."""
    place = tmp_path / "disk"
    place.mkdir()
    with a_disk(tmp_path / "disk.img") as device:
        sh("mount", device, place)
        try:
            with frozen(place):
                yield place
        finally:
            sh("umount", "--lazy", place)  # what hung there is just about to end


async def until_nothing_hangs() -> None:
    async with asyncio.timeout(20):
        while left_behind() or file_system_looks._LOOKS.under_way:
            await asyncio.sleep(0.01)


def test_a_look_that_hangs_is_given_up_and_not_tried_twice_at_once(pipe: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    how = partial(read_and_note, pipe, notes)

    async def story() -> None:
        await look("/", partial(os.path.exists, "/"))  # it has begun
        tries = [look(f"{pipe}", how, limit_s=0.5) for _ in range(3)]
        for told in await asyncio.gather(*tries, return_exceptions=True):
            assert isinstance(told, NoAnswer)
            assert str(told) == f"{pipe} does not answer within 0.5 s: the file system that it lies on hangs"
        assert notes.read_text() == "."
        assert await look("/usr/bin/true", partial(os.path.exists, "/usr/bin/true")), "others go on"
        await until_nothing_hangs()
        again = asyncio.create_task(look(f"{pipe}", how, limit_s=5))
        await asyncio.to_thread(pipe.write_text, "seen")
        assert await again == "seen", "what can be killed is killed, and looked at anew"

    asyncio.run(story())


def test_what_is_asked_for_something_else_is_looked_at_by_itself(pipe: Path, tmp_path: Path) -> None:
    """As by an edited manifest, while a look for the one before is under way."""

    async def story() -> None:
        tries = (look("/", partial(str, asked), asked=asked) for asked in ("mode 0600", "mode 0644"))
        assert await asyncio.gather(*tries) == ["mode 0600", "mode 0644"]

    asyncio.run(story())


def test_who_joins_a_look_that_hangs_is_told_that_it_does_when_its_process_is_killed(
    pipe: Path, tmp_path: Path
) -> None:
    how = partial(read_and_note, pipe, tmp_path / "notes")

    async def story() -> None:
        await look("/", partial(os.path.exists, "/"))
        keeps = asyncio.create_task(look(f"{pipe} (again)", how, limit_s=1))
        with pytest.raises(NoAnswer):
            await look(f"{pipe}", how, limit_s=0.2)
        with pytest.raises(NoAnswer, match="the file system that it lies on hangs"):
            await look(f"{pipe}", how, limit_s=20)
        with pytest.raises(NoAnswer):
            await keeps

    asyncio.run(story())


def test_looks_that_hang_hold_up_nobody_and_do_not_grow_without_end(pipe: Path, tmp_path: Path) -> None:
    how = partial(read_and_note, pipe, tmp_path / "notes")

    async def story() -> None:
        waiting = [look(f"{pipe} ({number})", how, limit_s=1) for number in range(MOST_AT_ONCE + 5)]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(answer, NoAnswer) for answer in answers)
        assert sum("32 other looks hang, first at" in str(answer) for answer in answers) == 5
        await until_nothing_hangs()
        assert len((tmp_path / "notes").read_text()) == MOST_AT_ONCE

    asyncio.run(story())


def test_a_look_tells_what_it_met() -> None:
    with pytest.raises(PermissionError, match="no"):
        asyncio.run(look("/root/x", refused))


def test_a_process_that_dies_is_told_and_another_takes_its_place(pipe: Path, tmp_path: Path) -> None:
    async def story() -> None:
        hangs = asyncio.create_task(look(f"{pipe}", partial(read_and_note, pipe, tmp_path / "notes"), limit_s=20))
        it = await look("/ (pid)", os.getpid)
        os.kill(it, 9)
        with pytest.raises(NoAnswer, match="could not be looked at: the process that looks has ended"):
            await hangs
        assert await look("/ (pid)", os.getpid) != it

    asyncio.run(story())


def test_a_process_that_hangs_in_the_kernel_is_left_behind_and_they_are_few(disk: Path) -> None:
    how, tries = partial(no_room, disk), MOST_LEFT_BEHIND + 2

    async def story() -> None:
        its = set()
        for number in range(tries):
            its.add(await look("/ (pid)", os.getpid))
            with pytest.raises(NoAnswer, match="hangs"):
                await look(f"{disk} ({number})", how, limit_s=0.1)
        assert left_behind() == MOST_LEFT_BEHIND and len(its) == MOST_LEFT_BEHIND + 1
        assert await look("/ (pid)", os.getpid) in its, "the last one looks on, though looks hang in it"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param("asyncio.current_task().cancel(); await asyncio.sleep(1)", 0, id="told to end"),
        pytest.param("import os; os.kill(os.getpid(), 9)", -9, id="killed"),
    ],
)
def test_an_agent_ends_and_lets_go_of_its_host_though_a_look_hangs(
    end: str, code: int, disk: Path, tmp_path: Path
) -> None:
    for _life in range(2):
        argv = [sys.executable, "-c", AGENT.format(end=end), str(tmp_path / "run"), str(disk)]
        with (tmp_path / "said").open("wb") as said:  # not a pipe: what hangs has it open
            ended = subprocess.run(argv, stdout=said, stderr=said, timeout=20, check=False)
        assert ((tmp_path / "said").read_text(), ended.returncode) == ("True\n", code)
