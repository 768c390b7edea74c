"""Secrets that services name: what the operator knows of them, by which names, and what it tells where it may not read one."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable

from backstay_api.client.errors import Conflict, Forbidden
from backstay_api.memory.server import Fate
from backstay_api.objects.kinds import SECRETS, Raw
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.names import NAMING_SECRET, SYSTEM_NAMESPACE
from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_dev.simulator.virtualtime import run
from backstay_operator.control.watch.cache import Cache
from backstay_operator.control.watch.contents import EACH_S, ContentReader
from backstay_operator.control.watch.secrets import SecretTexts
from backstay_operator.planner.know.contents import ConfigMapSeen, SecretSeen
from backstay_testing.control_scene import WALL, Scene, raw_service

KEY = "secret:shop/web"


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


class Reading:
    """One life of a reader, beside an API server in memory."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.weather = scene, scene.weather_of("operator")
        self.cache = Cache(clock=asyncio.get_running_loop().time, wall=lambda: WALL)
        api = scene.api("operator")
        self.texts = SecretTexts(api, namespace=SYSTEM_NAMESPACE)
        self.reader = ContentReader(api, self.cache, self.texts, account="backstay-system:backstay-operator")
        self.task = asyncio.create_task(self.reader.run())
        raw = raw_service("web")
        file = {"path": "/etc/web.pass", "secretKeyRef": {"name": "web", "key": "password"}}
        raw["spec"]["resources"] += [{"name": "conf", "file": file}]
        there = scene.admin.cluster.bodies(HA_SERVICES, "shop")
        self.cache.observe(HA_SERVICES, there[0] if there else scene.store(HA_SERVICES, raw))

    @property
    def seen(self) -> ConfigMapSeen | None:
        return self.cache.world.contents.get(KEY)

    @property
    def name(self) -> str:
        """How what is in it is called now."""
        assert isinstance(self.seen, SecretSeen), self.seen
        return self.seen.data["password"]

    def end(self) -> None:
        self.task.cancel()


def secret(scene: Scene, name: str, namespace: str, **data: str | bytes) -> None:
    body: Raw = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}}
    scene.store(SECRETS, body | ({"data": {key: encoded(text) for key, text in data.items()}} if data else {}))


def edit(scene: Scene, **data: str | None) -> None:
    patch = {"data": {key: None if text is None else encoded(text) for key, text in data.items()}}
    scene.cluster.patch(SECRETS, ("shop", "web"), patch, actor="admin")


def told(story: Callable[[Scene], Awaitable[None]], *, naming: bool = True) -> None:
    async def whole() -> None:
        scene = Scene()
        if naming:
            secret(scene, NAMING_SECRET, SYSTEM_NAMESPACE)
        await story(scene)

    run(whole(), limit_s=10_000)


def test_the_picture_has_names_and_nothing_that_is_in_it() -> None:
    async def story(scene: Scene) -> None:
        secret(scene, "web", "shop", password="hunter2", pin=b"\xff\x00", bad="a\0b")
        reading = Reading(scene)
        await asyncio.sleep(1)
        seen = reading.seen
        assert isinstance(seen, SecretSeen)
        assert "hunter2" not in repr(reading.cache.world)
        assert seen.sizes["password"] == len('"hunter2"') and seen.binary == {"pin"}
        assert seen.faults == {"bad": "has a NUL in it, and no text has one"}
        assert reading.texts.text(reading.name) == "hunter2"
        assert reading.texts.is_called(reading.name, "shop", "hunter2")
        assert not reading.texts.is_called(reading.name, "shop", "hunter3")
        assert not reading.texts.is_called(reading.name, "other", "hunter2")
        reading.end()

    told(story)


def test_the_same_content_has_the_same_name_whoever_reads_it_and_after_each_restart() -> None:
    async def story(scene: Scene) -> None:
        secret(scene, "web", "shop", password="hunter2")
        both = [Reading(scene), Reading(scene)]
        await asyncio.sleep(1)
        first = both[0].name
        assert both[1].name == first, "two that begin at once have one key"
        edit(scene, password="hunter3")
        await asyncio.sleep(EACH_S)
        assert both[0].name == both[1].name != first
        for one in both:
            one.end()
        edit(scene, password="hunter2")
        later = Reading(scene)
        await asyncio.sleep(1)
        assert later.name == first
        later.end()

    told(story)


def test_who_comes_second_takes_the_key_of_the_first() -> None:
    async def story(scene: Scene) -> None:
        secret(scene, "web", "shop", password="hunter2")
        conflict = Fate(error=Conflict("somebody was first"))
        scene.weather_of("operator").fates.append((lambda request: request.verb == "patch", conflict))
        reading = Reading(scene)
        await asyncio.sleep(1)
        assert reading.name
        asked = [(one.verb, one.name) for one in reading.weather.requests]
        assert asked == [("get", "web"), *[("get", NAMING_SECRET), ("patch", NAMING_SECRET)] * 2]
        reading.end()

    told(story)


def test_without_a_key_nothing_is_given_a_name() -> None:
    async def story(scene: Scene) -> None:
        secret(scene, "web", "shop", password="hunter2")
        reading = Reading(scene)
        await asyncio.sleep(1)
        why = "cannot be given a name: Secret backstay-system/backstay-contents is made by the chart, with the right to it"
        assert reading.seen == SecretSeen(why=why)
        secret(scene, NAMING_SECRET, SYSTEM_NAMESPACE, key="short")
        await asyncio.sleep(EACH_S)
        assert reading.seen is not None and "is too short" in reading.seen.why
        assert not await reading.texts.is_ready()
        reading.end()

    told(story, naming=False)


def test_one_that_may_not_be_read_says_which_command_lets_it() -> None:
    async def story(scene: Scene) -> None:
        secret(scene, "web", "shop", password="hunter2")
        refused = Fate(error=Forbidden("no"))
        scene.weather_of("operator").fates.append((lambda request: request.name == "web", refused))
        reading = Reading(scene)
        await asyncio.sleep(1)
        seen = reading.seen
        assert isinstance(seen, SecretSeen) and seen.is_forbidden and not seen.data
        assert seen.why.endswith(
            "kubectl create rolebinding backstay-contents --namespace=shop --clusterrole=backstay:contents"
            " --serviceaccount=backstay-system:backstay-operator"
        )
        await asyncio.sleep(EACH_S)
        assert reading.name, "once it may it does"
        reading.end()

    told(story)


def test_what_no_service_names_any_more_is_not_kept() -> None:
    async def story(scene: Scene) -> None:
        secret(scene, "web", "shop", password="hunter2")
        reading = Reading(scene)
        await asyncio.sleep(1)
        name = reading.name
        stored = scene.cluster.patch(HA_SERVICES, ("shop", "web"), {"spec": raw_service("web")["spec"]}, actor="admin")
        reading.cache.observe(HA_SERVICES, stored)
        await asyncio.sleep(2 * EACH_S)
        assert reading.texts.text(name) is None and reading.seen is None
        reading.end()

    told(story)


def test_what_the_operator_may_read_for_itself_is_brought_to_nobody() -> None:
    """Where hosts' contents and its own key stand it has rights without any word of an admin there."""

    async def story(scene: Scene) -> None:
        reading = Reading(scene)
        for namespace in (NAMESPACE, SYSTEM_NAMESPACE):
            secret(scene, "files", namespace, password="hunter2")
            raw = raw_service("thief")
            file = {"path": "/etc/web.pass", "secretKeyRef": {"name": "files", "key": "password"}}
            raw["metadata"]["namespace"] = namespace
            raw["spec"]["resources"] += [{"name": "conf", "file": file}]
            reading.cache.observe(HA_SERVICES, scene.store(HA_SERVICES, raw))
            await asyncio.sleep(1)
            seen = reading.cache.world.contents[f"secret:{namespace}/files"]
            assert "a namespace of Backstay's own" in seen.why and not seen.data
        reading.end()

    told(story)


def test_what_may_be_read_no_more_is_given_to_no_other_host() -> None:
    async def story(scene: Scene) -> None:
        secret(scene, "web", "shop", password="hunter2")
        reading = Reading(scene)
        await asyncio.sleep(1)
        name = reading.name
        assert reading.texts.text(name) == "hunter2"
        scene.weather_of("operator").fates.append((lambda request: request.name == "web", Fate(error=Forbidden("no"))))
        await asyncio.sleep(EACH_S)
        assert reading.texts.text(name) is None
        reading.end()

    told(story)
