"""What an agent answers when it is asked where its copy differs, and that nobody else can read it."""

from __future__ import annotations

import asyncio
import random

from backstay_agent.core.exchange import public
from backstay_agent.drivers.base import AskedParts, Parts
from backstay_agent.drivers.tools.parts import of_lines
from backstay_agent.standby.teller import AGAIN_S, Teller
from backstay_api.objects.plain import CopyQuestion, PrerequisiteOrder, RenderedFile, RenderedPrerequisite
from backstay_dev.simulator.virtualtime import run

ORDERS = {
    "uid-a": PrerequisiteOrder(
        namespace="shop",
        name="web-0",
        revision=1,
        resources=(RenderedPrerequisite(name="conf", file=RenderedFile(path="/etc/a")),),
    )
}
SECRET = b"o" * 32


def question(number: int, key: str = public(SECRET).hex(), **more: object) -> CopyQuestion:
    wire = {"id": f"{number:016x}", "uid": "uid-a", "name": "conf", "host": "n2", "key": key, **more}
    return CopyQuestion.from_wire(wire)


class FakeParts:
    """Says the same lines to each question, or raises what it was told to, and notes what it was asked."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = lines
        self.asked: list[tuple[str, AskedParts]] = []
        self.raises: Exception | None = None

    async def __call__(self, resource: RenderedPrerequisite, asked: AskedParts, key: bytes) -> Parts:
        self.asked.append((resource.name, asked))
        await asyncio.sleep(1)
        if self.raises:
            raise self.raises
        return of_lines("/etc/a", self.lines, asked, key, shows_words=True)


def teller(parts: FakeParts, told: list[int], seed: int = 1, refused: str = "") -> Teller:
    return Teller(parts, lambda: told.append(1), lambda namespace, resources: refused, random.Random(seed))


def test_what_could_not_be_said_is_asked_again_and_what_was_said_is_not() -> None:
    async def story() -> None:
        parts, told = FakeParts(b"a 1"), list[int]()
        one = teller(parts, told)
        task = asyncio.create_task(one.run())
        parts.raises = OSError("a disk is busy")
        one.update(ORDERS, [question(1)])
        await asyncio.sleep(AGAIN_S)
        assert [bool(answer.why) for answer in one.answers] == [True]
        parts.raises = None
        await asyncio.sleep(AGAIN_S + 2)
        assert [(answer.why, len(answer.digests)) for answer in one.answers] == [("", 8)]
        asked = len(parts.asked)
        await asyncio.sleep(10 * AGAIN_S)
        assert len(parts.asked) == asked
        task.cancel()

    run(story())


def test_each_question_is_answered_once_and_what_is_not_asked_any_more_is_forgotten() -> None:
    async def story() -> None:
        parts, told = FakeParts(b"a 1", b"b 2"), list[int]()
        one = teller(parts, told)
        task = asyncio.create_task(one.run())
        assert one.public == ""
        one.update(ORDERS, [question(1)])
        await asyncio.sleep(2)
        one.update(ORDERS, [question(1), question(2, first=1, each=0)])
        await asyncio.sleep(2)
        assert [answer.id for answer in one.answers] == [f"{1:016x}", f"{2:016x}"]
        assert [len(answer.digests) for answer in one.answers] == [16, 0]
        assert one.answers[1].facts == {"path": "/etc/a", "line": "2", "word": "b"}
        assert len(parts.asked) == 2 and len(told) == 2
        one.update(ORDERS, [])
        await asyncio.sleep(1)
        assert one.answers == () and len(told) == 3
        task.cancel()

    run(story())


def test_only_the_two_agents_can_read_a_digest() -> None:
    """The same line looks otherwise to another pair, in another resource and in another file; and is the same to the two."""

    async def story() -> None:
        n1, n2 = (teller(FakeParts(b"password hunter2"), [], seed) for seed in (1, 2))
        for one in (n1, n2):
            one.update(ORDERS, [])
        tasks = [asyncio.create_task(one.run()) for one in (n1, n2)]
        n1.update(ORDERS, [question(1, n2.public), question(2), question(3, n2.public, below="x")])
        n2.update(ORDERS, [question(1, n1.public)])
        await asyncio.sleep(5)
        (said, *others), (theirs,) = ([each.digests for each in one.answers] for one in (n1, n2))
        assert said == theirs and len({said, *others}) == 3
        assert "hunter2" not in repr((n1.answers, n2.answers)) and n1.public != n2.public
        for task in tasks:
            task.cancel()

    run(story())


def test_what_is_not_ordered_or_refused_or_fails_is_said_without_its_words() -> None:
    async def story() -> None:
        whys = []
        for refused, raises, key, name in (
            ("", None, public(SECRET).hex(), "other"),
            ("not for shop", None, public(SECRET).hex(), "conf"),
            ("", OSError("password=hunter2"), public(SECRET).hex(), "conf"),
            ("", None, "0" * 64, "conf"),
        ):
            parts = FakeParts(b"a")
            parts.raises = raises
            one = teller(parts, [], refused=refused)
            task = asyncio.create_task(one.run())
            one.update(ORDERS, [question(1, key, name=name)])
            await asyncio.sleep(2)
            whys.append(one.answers[0].why)
            assert one.answers[0].digests == ""
            task.cancel()
        assert whys == [
            "this host was not told to look at it",
            "not for shop",
            "it could not be looked at: OSError",
            "it could not be looked at: ValueError",
        ]

    run(story())
