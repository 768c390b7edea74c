"""When an agent looks at prerequisites, and what it says when a look goes wrong."""

from __future__ import annotations

import asyncio

from backstay_agent.drivers.base import Observed
from backstay_agent.standby.prerequisites import AT_ONCE, LOOK_AGAIN_S, Verifier
from backstay_api.objects.plain import ExpectedCopy, PrerequisiteOrder, RenderedFile, RenderedPrerequisite
from backstay_dev.simulator.virtualtime import run


def order(*names: str, revision: int = 1) -> PrerequisiteOrder:
    files = tuple(RenderedPrerequisite(name=name, file=RenderedFile(path=f"/etc/{name}")) for name in names)
    return PrerequisiteOrder(namespace="shop", name="web-0", revision=revision, resources=files)


class FakeLooks:
    """Says what it was told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.says: dict[str, Observed | Exception] = {}
        self.at_once = self.most_at_once = 0

    async def __call__(self, resource: RenderedPrerequisite, salt: str) -> Observed:
        self.asked.append((resource.name, salt))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(1)
        self.at_once -= 1
        said = self.says.get(resource.name, Observed("", {"content": resource.name}))
        if isinstance(said, Exception):
            raise said
        return said


def test_it_looks_at_what_is_ordered_and_again_and_tells_only_what_is_new() -> None:
    async def story() -> None:
        looks, told = FakeLooks(), list[int]()
        verifier = Verifier(looks, lambda: told.append(1))
        task = asyncio.create_task(verifier.run())
        await asyncio.sleep(100)
        assert looks.asked == [] and told == []
        verifier.update({"uid-a": order("one", "two")})
        await asyncio.sleep(LOOK_AGAIN_S / 2)
        report = verifier.reports["uid-a"]
        assert [(one.name, dict(one.facts)) for one in report.findings] == [
            ("one", {"content": "one"}),
            ("two", {"content": "two"}),
        ]
        assert (report.revision, sorted(looks.asked), len(told)) == (1, [("one", "uid-a"), ("two", "uid-a")], 1)
        await asyncio.sleep(LOOK_AGAIN_S + 2)
        assert (len(looks.asked), len(told)) == (4, 1)
        looks.says["two"] = Observed("/etc/two does not exist")
        await asyncio.sleep(LOOK_AGAIN_S + 2)
        assert verifier.reports["uid-a"].findings[1].why == "/etc/two does not exist" and len(told) == 2
        verifier.update({"uid-a": order("one", revision=2)})
        await asyncio.sleep(2)
        assert verifier.reports["uid-a"].revision == 2 and len(verifier.reports["uid-a"].findings) == 1
        verifier.update({})
        await asyncio.sleep(1)
        assert verifier.reports == {} and len(told) == 4
        task.cancel()

    run(story())


def test_a_look_that_fails_is_told_without_its_words_and_the_others_are_looked_at() -> None:
    async def story() -> None:
        looks = FakeLooks()
        looks.says["one"] = ValueError("password=hunter2")
        verifier = Verifier(looks, lambda: None)
        task = asyncio.create_task(verifier.run())
        verifier.update({"uid-a": order("one", "two")})
        await asyncio.sleep(5)
        first, second = verifier.reports["uid-a"].findings
        assert first.why == "it could not be looked at: ValueError" and second.why == ""
        task.cancel()

    run(story())


def test_what_the_policy_of_the_host_refuses_is_not_looked_at_and_said() -> None:
    async def story() -> None:
        looks = FakeLooks()
        verifier = Verifier(
            looks, lambda: None, lambda namespace, found: f"not for {namespace}" * (found[0].name == "one")
        )
        task = asyncio.create_task(verifier.run())
        verifier.update({"uid-a": order("one", "two")})
        await asyncio.sleep(5)
        assert [asked for asked, _ in looks.asked] == ["two"]
        assert [one.why for one in verifier.reports["uid-a"].findings] == [f"not for {order().namespace}", ""]
        task.cancel()

    run(story())


def test_it_looks_at_a_few_at_a_time() -> None:
    async def story() -> None:
        looks = FakeLooks()
        verifier = Verifier(looks, lambda: None)
        task = asyncio.create_task(verifier.run())
        verifier.update({f"uid-{number}": order("one", "two", "three") for number in range(5)})
        await asyncio.sleep(10)
        assert len(looks.asked) == 15 and looks.most_at_once == AT_ONCE
        task.cancel()

    run(story())


def test_a_start_waits_for_no_look_at_what_only_stands_by() -> None:
    async def story() -> None:
        looks = FakeLooks()
        verifier = Verifier(looks, lambda: None)
        task = asyncio.create_task(verifier.run())
        verifier.update({f"uid-{number}": order("one", "two", "three") for number in range(50)})
        await asyncio.sleep(0.5)
        before = len(looks.asked)
        assert await verifier.drifted("uid-49", [ExpectedCopy(name="one", facts={"content": "one"})]) == ""
        assert len(looks.asked) - before <= 2 * AT_ONCE
        task.cancel()

    run(story())


def test_before_a_start_it_is_looked_again_at_what_the_host_was_chosen_by() -> None:
    async def story() -> None:
        looks = FakeLooks()
        verifier = Verifier(looks, lambda: None)
        verifier.update({"uid-a": order("one", "two")})
        expects = [
            ExpectedCopy(name="one", facts={"content": "one"}),
            ExpectedCopy(name="two", facts={"content": "two"}),
        ]
        assert await verifier.drifted("uid-a", expects) == "" and len(looks.asked) == 2
        looks.says["two"] = Observed("", {"content": "another", "declared": "whatever"})
        why = "two: file /etc/two is not as when this host was chosen: content is another and there two"
        assert await verifier.drifted("uid-a", expects) == why
        looks.says["two"] = Observed("/etc/two does not exist")
        assert await verifier.drifted("uid-a", expects) == "two: /etc/two does not exist"
        assert await verifier.drifted("uid-unknown", expects) == ""

    run(story())
