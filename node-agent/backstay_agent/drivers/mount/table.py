"""What is mounted where on this host, as the kernel tells it: no memory of ours is needed to find what we mounted. Pure, but for `follow`."""

from __future__ import annotations

import asyncio
import os
import re
import select
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_api.process.waiting import within

TABLE: Final = Path("/proc/1/mountinfo")
"""The host's own; reading it asks no file system."""
_CODE: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mounted:
    """One line of the table."""

    id: int
    parent: int
    dev: str
    """`major:minor`"""
    root: str
    """What of the file system is shown."""
    point: str
    options: frozenset[str]
    fs_type: str
    source: str
    super_options: frozenset[str]

    @property
    def is_read_only(self) -> bool:
        """By its mount, or because the kernel has stopped to write to it."""
        return bool({"ro"} & self.options or {"ro", "emergency_ro", "shutdown"} & self.super_options)

    @property
    def words(self) -> str:
        part = "" if self.root == "/" else f", {self.root} of it"
        return f"{self.source} ({self.fs_type}{part})"


Table = tuple[Mounted, ...]


def parse(text: str) -> Table:
    return tuple(filter(None, map(_line, text.splitlines())))


def read(path: Path = TABLE) -> Table:
    return parse(path.read_bytes().decode(errors="surrogateescape"))


def _line(line: str) -> Mounted | None:
    before, dash, after = line.partition(" - ")
    fields, kind = before.split(" "), after.split(" ")
    if not dash or len(fields) < 6 or len(kind) < 3:
        return None
    number, parent, dev, root, point, options = fields[:6]
    return Mounted(
        int(number), int(parent), dev, plain(root), plain(point), frozenset(options.split(",")),
        kind[0], plain(kind[1]), frozenset(kind[2].split(",")),
    )  # fmt: skip


def plain(text: str) -> str:
    """Without the codes for blanks and backslashes that the kernel and fstab write."""
    return _CODE.sub(lambda code: chr(int(code[1], 8)), text)


def over(table: Table, path: str) -> Mounted | None:
    """The mount that who opens this path is led to: of several above each other the topmost that nothing hides."""
    children = {(one.parent, one.point): one for one in table}
    ids = {one.id for one in table}
    here = next((one for one in table if one.point == "/" and (one.parent not in ids or one.parent == one.id)), None)
    steps = path.strip("/").split("/")
    for place in ("/", *("/" + "/".join(steps[: depth + 1]) for depth in range(len(steps)))):
        while here and (child := children.get((here.id, place))) and child is not here:
            here = child
    return here or next((one for one in reversed(table) if one.point == path), None)


def below(table: Table, path: str) -> list[Mounted]:
    return [one for one in table if one.point.startswith(f"{path}/")]


def points(mounts: Iterable[Mounted]) -> str:
    return " and ".join(sorted({one.point for one in mounts}))


async def follow(period_s: float, path: Path = TABLE) -> AsyncGenerator[bool, None]:
    """Once now, then whenever the table changes, and regularly; says whether the kernel told of it."""
    news = asyncio.Event()
    loop = asyncio.get_running_loop()
    table = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with select.epoll() as poll:

            def tell() -> None:
                poll.poll(0)
                news.set()

            # The file is always readable; only EPOLLPRI says that it changed. So asyncio watches the epoll, not the file.
            poll.register(table, select.EPOLLPRI)
            loop.add_reader(poll.fileno(), tell)
            try:
                while True:
                    told = news.is_set()
                    news.clear()
                    yield told
                    await within(news, period_s)
            finally:
                loop.remove_reader(poll.fileno())
    finally:
        os.close(table)
