"""ConfigMaps that services name: when they are read, what is made of it, and what is asked for while nobody names any."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from backstay_api.client.errors import Forbidden
from backstay_api.memory.server import Fate
from backstay_api.objects.kinds import CONFIG_MAPS, Raw
from backstay_api.objects.names import SYSTEM_NAMESPACE
from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_dev.simulator.virtualtime import run
from backstay_operator.control.watch.cache import Cache
from backstay_operator.control.watch.contents import EACH_S, FORBIDDEN, ContentReader
from backstay_operator.control.watch.secrets import SecretTexts
from backstay_operator.planner.know.contents import MISSING, ConfigMapSeen
from backstay_testing.control_scene import WALL, Scene, raw_service

A, B = ConfigMapSeen(data={"conf": "a"}), ConfigMapSeen(data={"conf": "b"})
A_MOMENT_S = 1.0


class Reading:
    """A reader of its own, beside an API server in memory."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.cache = Cache(clock=asyncio.get_running_loop().time, wall=lambda: WALL)
        self.api = self.scene.api("operator")
        self.texts = SecretTexts(self.api, namespace=SYSTEM_NAMESPACE)
        self.reader = ContentReader(self.api, self.cache, self.texts, account="backstay-system:backstay-operator")
        self.weather = self.scene.weather_of("operator")
        self.pokes = 0
        self.cache.on_change = self._poked
        self.task = asyncio.create_task(self.reader.run())

    def _poked(self, soon: object) -> None:
        self.pokes += 1

    def names(self, name: str, *config_maps: str) -> None:
        """A service whose files come from these."""
        files = [
            {"name": f"f{at}", "file": {"path": f"/etc/{at}", "configMapKeyRef": {"name": one, "key": "conf"}}}
            for at, one in enumerate(config_maps)
        ]
        raw: Raw = raw_service(name)
        raw["spec"]["resources"] += files
        known = self.scene.admin.cluster.bodies(HA_SERVICES, "shop")
        if any(one["metadata"]["name"] == name for one in known):
            stored = self.scene.cluster.patch(HA_SERVICES, ("shop", name), {"spec": raw["spec"]}, actor="admin")
        else:
            stored = self.scene.store(HA_SERVICES, raw)
        self.cache.observe(HA_SERVICES, stored)

    def config_map(self, name: str, text: str) -> None:
        self.scene.store(
            CONFIG_MAPS,
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "shop"},
                "data": {"conf": text},
            },
        )

    def edit(self, name: str, **parts: Any) -> None:
        self.scene.cluster.patch(CONFIG_MAPS, ("shop", name), parts, actor="admin")

    @property
    def contents(self) -> dict[str, ConfigMapSeen]:
        return self.cache.world.contents

    @property
    def asked(self) -> list[tuple[str, str, str]]:
        return [(one.verb, one.namespace, one.name) for one in self.weather.requests]


def told(story: Callable[[Reading], Awaitable[None]]) -> None:
    async def whole() -> None:
        reading = Reading()
        await story(reading)
        reading.task.cancel()

    run(whole(), limit_s=10_000)


def test_nothing_is_asked_while_no_service_names_any() -> None:
    async def story(reading: Reading) -> None:
        reading.names("web")
        await asyncio.sleep(100)
        assert reading.asked == []

    told(story)


def test_it_is_read_at_once_and_then_again_and_again() -> None:
    async def story(reading: Reading) -> None:
        reading.config_map("web", "a")
        reading.names("web", "web")
        await asyncio.sleep(A_MOMENT_S)
        assert reading.contents == {"shop/web": A}
        reading.edit("web", data={"conf": "b"})
        await asyncio.sleep(EACH_S)
        assert reading.contents == {"shop/web": B}
        assert reading.asked == [("get", "shop", "web")] * 2

    told(story)


def test_what_is_as_before_stays_the_very_object_and_wakes_nobody() -> None:
    async def story(reading: Reading) -> None:
        reading.config_map("web", "a")
        reading.names("web", "web")
        await asyncio.sleep(A_MOMENT_S)
        first, pokes = reading.contents["shop/web"], reading.pokes
        reading.edit("web", metadata={"labels": {"a": "b"}})
        await asyncio.sleep(3 * EACH_S)
        assert reading.contents["shop/web"] is first and reading.pokes == pokes

    told(story)


def test_one_that_is_named_later_does_not_wait_for_the_others() -> None:
    async def story(reading: Reading) -> None:
        reading.names("web", *(f"m{at}" for at in range(8)))
        await asyncio.sleep(A_MOMENT_S)
        before = len(reading.asked)
        reading.names("db", "later")
        await asyncio.sleep(0.1)
        assert reading.asked[before:] == [("get", "shop", "later")]

    told(story)


def test_what_is_gone_or_forbidden_says_so_and_what_nobody_can_tell_stays() -> None:
    async def story(reading: Reading) -> None:
        reading.names("web", "web")
        await asyncio.sleep(A_MOMENT_S)
        assert reading.contents == {"shop/web": MISSING}
        reading.config_map("web", "a")
        await asyncio.sleep(EACH_S)
        assert reading.contents == {"shop/web": A}
        reading.weather.fates.append((lambda request: True, Fate(error=Forbidden("no"))))
        await asyncio.sleep(EACH_S)
        assert reading.contents == {"shop/web": FORBIDDEN}
        await asyncio.sleep(EACH_S)
        assert reading.contents == {"shop/web": A}
        reading.weather.outage = True
        reading.edit("web", data={"conf": "b"})
        await asyncio.sleep(10 * EACH_S)
        assert reading.contents == {"shop/web": A}
        reading.weather.outage = False
        await asyncio.sleep(EACH_S)
        assert reading.contents == {"shop/web": B}

    told(story)


def test_what_no_service_names_any_more_is_neither_read_nor_kept() -> None:
    async def story(reading: Reading) -> None:
        reading.config_map("web", "a")
        reading.names("web", "web")
        await asyncio.sleep(A_MOMENT_S)
        reading.names("web")
        await asyncio.sleep(3 * EACH_S)
        assert reading.contents == {} and len(reading.asked) == 1

    told(story)


def test_keys_of_what_is_no_text_are_known_by_their_names() -> None:
    async def story(reading: Reading) -> None:
        reading.config_map("web", "a")
        reading.edit("web", data=None, binaryData={"conf": "AAAA"})
        reading.names("web", "web")
        await asyncio.sleep(A_MOMENT_S)
        assert reading.contents == {"shop/web": ConfigMapSeen(binary=frozenset({"conf"}))}

    told(story)


def test_thousands_are_read_one_after_the_other() -> None:
    async def story(reading: Reading) -> None:
        for at in range(100):
            reading.names(f"s{at}", *(f"m{at}-{each}" for each in range(10)))
        await asyncio.sleep(10)
        assert 150 <= len(reading.asked) <= 200

    told(story)
