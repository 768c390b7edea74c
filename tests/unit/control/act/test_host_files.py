"""What each host has of files from Secrets: what it is told to have, if there is room for it; and nothing is written into what is not ours."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable

from backstay_api.client.errors import Conflict, Forbidden, ServerError
from backstay_api.memory.server import Fate
from backstay_api.objects.editions import LEFT_OUT
from backstay_api.objects.kinds import SECRETS, Raw
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.names import SYSTEM_NAMESPACE, files_secret
from backstay_api.objects.object_kinds import HA_SERVICES, HOST_ASSIGNMENTS
from backstay_api.objects.rbac import FILES_TYPE
from backstay_dev.simulator.virtualtime import run
from backstay_operator.control.act.host_files import EACH_S, KEPT_S, MOST_IN_VAIN, READ_AGAIN_S, HostFiles
from backstay_operator.control.watch.cache import Cache
from backstay_operator.control.watch.secrets import SecretTexts
from backstay_testing.control_scene import WALL, Scene, raw_service

A, B, C, D = (one * 32 for one in "abcd")
BIG = "x" * 400_000
"""Of which two are more than fit, as they stand in a Secret."""


class Texts(SecretTexts):
    """As if Secrets had said this."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.api("operator"), namespace=SYSTEM_NAMESPACE)
        self.said: dict[str, str] = {}
        self.put_there_by_others: set[str] = set()

    async def is_ready(self) -> bool:
        return True

    def is_called(self, name: str, namespace: str, text: str) -> bool:
        return namespace == "shop" and text not in self.put_there_by_others

    def text(self, name: str) -> str | None:
        return self.said.get(name)


class Giving:
    """One operator that gives, and what hosts are told."""

    def __init__(self, *hosts: str) -> None:
        self.scene, self.is_leading = Scene(), True
        self.cache = Cache(clock=asyncio.get_running_loop().time, wall=lambda: WALL)
        self.texts = Texts(self.scene)
        self.weather = self.scene.weather_of("operator")
        files = HostFiles(self.scene.api("operator"), self.cache, self.texts, lambda: self.is_leading)
        for host in hosts:
            self.secret(host)
        self.task = asyncio.create_task(files.run())

    def secret(self, host: str, type_: str = FILES_TYPE, **data: str) -> None:
        meta = {"name": files_secret(host), "namespace": NAMESPACE}
        raws = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
        self.scene.store(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": type_, "data": raws})

    def names_one(self) -> None:
        raw = raw_service("web")
        file = {"path": "/etc/web.pass", "secretKeyRef": {"name": "web", "key": "password"}}
        raw["spec"]["resources"] += [{"name": "conf", "file": file}]
        self.cache.observe(HA_SERVICES, self.scene.store(HA_SERVICES, raw))
        self.texts.are_named.set()

    def tell(self, host: str, *names: str) -> None:
        """What the host is told to have."""
        resources = [{"name": f"f{at}", "file": {"path": f"/etc/{at}", "secret": one}} for at, one in enumerate(names)]
        order = {"namespace": "shop", "name": "web-0", "revision": 1, "resources": resources}
        body: Raw = {"metadata": {"name": host}, "spec": {"prerequisites": {"u1": order}}}
        there = [one["metadata"]["name"] for one in self.scene.cluster.bodies(HOST_ASSIGNMENTS)]
        if host in there:
            stored = self.scene.cluster.patch(HOST_ASSIGNMENTS, ("", host), {"spec": body["spec"]}, actor="admin")
        else:
            body |= {"apiVersion": HOST_ASSIGNMENTS.api_version, "kind": HOST_ASSIGNMENTS.kind}
            stored = self.scene.store(HOST_ASSIGNMENTS, body)
        self.cache.observe(HOST_ASSIGNMENTS, stored)

    def body(self, host: str) -> Raw:
        found = self.scene.cluster.bodies(SECRETS, NAMESPACE)
        return next(one for one in found if one["metadata"]["name"] == files_secret(host))

    def has(self, host: str) -> dict[str, str]:
        data = self.body(host).get("data") or {}
        return {name: base64.b64decode(raw).decode() for name, raw in data.items()}

    def left_out(self, host: str) -> str | None:
        annotations: dict[str, str] = self.body(host)["metadata"].get("annotations") or {}
        return annotations.get(LEFT_OUT)

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(one.verb, one.name) for one in self.weather.requests]


def told(story: Callable[[Giving], Awaitable[None]], *hosts: str) -> None:
    async def whole() -> None:
        giving = Giving(*hosts)
        await story(giving)
        giving.task.cancel()

    run(whole(), limit_s=10_000)


def test_a_host_has_what_it_is_told_to_have_and_no_other_has_it() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.texts.said = {A: "hunter2", B: "hunter3"}
        giving.tell("n1", A)
        giving.tell("n2")
        await asyncio.sleep(2 * EACH_S)
        assert giving.has("n1") == {A: "hunter2"} and giving.has("n2") == {}
        giving.tell("n1", A, B)
        await asyncio.sleep(2 * EACH_S)
        assert giving.has("n1") == {A: "hunter2", B: "hunter3"}

    told(story, "n1", "n2")


def test_nothing_is_asked_while_no_service_names_a_secret_nor_by_one_that_does_not_lead() -> None:
    async def story(giving: Giving) -> None:
        giving.texts.said = {A: "hunter2"}
        giving.tell("n1", A)
        await asyncio.sleep(10)
        assert giving.asked == []
        giving.is_leading = False
        giving.names_one()
        await asyncio.sleep(10)
        assert giving.asked == []

    told(story, "n1")


def test_what_is_told_no_more_goes_after_a_while_that_of_an_operator_of_before_too() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.secret("n2", **{D: "of before"})
        giving.texts.said = {A: "hunter2", B: "hunter3"}
        giving.tell("n1", A)
        giving.tell("n2")
        await asyncio.sleep(2 * EACH_S)
        giving.tell("n1", B)
        await asyncio.sleep(KEPT_S - 10)
        assert giving.has("n1") == {A: "hunter2", B: "hunter3"}, "an agent may have the order of before"
        await asyncio.sleep(20)
        assert giving.has("n1") == {B: "hunter3"} and giving.has("n2") == {}

    told(story, "n1")


def test_what_no_secret_says_now_comes_from_another_host_that_has_it() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.secret("n2", **{A: "hunter2"})
        giving.tell("n1", A)
        giving.tell("n2", A)
        await asyncio.sleep(3 * EACH_S)
        assert giving.has("n1") == giving.has("n2") == {A: "hunter2"}

    told(story, "n1")


def test_what_is_not_what_its_name_says_is_given_to_nobody_and_put_right() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.texts.put_there_by_others = {"mine"}
        giving.secret("n2", **{A: "mine"})
        giving.tell("n1", A)
        giving.tell("n2", A)
        await asyncio.sleep(3 * EACH_S)
        assert giving.has("n1") == giving.has("n2") == {}
        giving.texts.said = {A: "hunter2"}
        await asyncio.sleep(3 * EACH_S)
        assert giving.has("n1") == giving.has("n2") == {A: "hunter2"}

    told(story, "n1")


def test_for_what_there_is_no_room_is_left_out_and_said_and_what_is_needed_no_more_goes_first() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.texts.said = {A: BIG, B: BIG, C: "small"}
        giving.tell("n1", A, B, C)
        await asyncio.sleep(2 * EACH_S)
        assert set(giving.has("n1")) == {A, C} and giving.left_out("n1") == B
        giving.tell("n1", B, C)
        await asyncio.sleep(2 * EACH_S)
        assert set(giving.has("n1")) == {B, C} and giving.left_out("n1") is None

    told(story, "n1")


def test_what_somebody_has_taken_away_comes_back() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.texts.said = {A: "hunter2"}
        giving.tell("n1", A)
        await asyncio.sleep(2 * EACH_S)
        giving.scene.cluster.patch(SECRETS, (NAMESPACE, files_secret("n1")), {"data": None}, actor="admin")
        await asyncio.sleep(READ_AGAIN_S + 2)
        assert giving.has("n1") == {A: "hunter2"}

    told(story, "n1")


def test_into_what_is_no_secret_of_ours_nothing_is_written() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.secret("n1", type_="Opaque")
        giving.texts.said = {A: "hunter2"}
        giving.tell("n1", A)
        await asyncio.sleep(10)
        assert giving.has("n1") == {} and all(verb == "get" for verb, _ in giving.asked)

    told(story)


def test_a_host_that_cannot_be_given_any_keeps_no_other_from_it_and_is_tried_again() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.texts.said = {A: "hunter2"}
        giving.tell("n0", A)  # there is no Secret for it
        refused = Fate(error=Forbidden("no"))
        giving.weather.fates.append((lambda request: request.name == files_secret("n1"), refused))
        giving.tell("n1", A)
        giving.tell("n2", A)
        await asyncio.sleep(3 * EACH_S)
        assert giving.has("n2") == {A: "hunter2"} and giving.has("n1") == {}
        await asyncio.sleep(READ_AGAIN_S)
        assert giving.has("n1") == {A: "hunter2"}

    told(story, "n1", "n2")


def test_a_host_whose_secret_is_never_answered_keeps_no_other_from_its_own() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.texts.said = {A: "hunter2"}
        for host in ("n1", "n2", "n3"):
            giving.tell(host, A)
        failed = Fate(error=ServerError("a webhook is away"))
        giving.weather.fates += [(lambda request: request.name == files_secret("n1"), failed)] * 20
        await asyncio.sleep(2 * EACH_S)
        assert [giving.has(host) for host in ("n1", "n2", "n3")] == [{}, {A: "hunter2"}, {A: "hunter2"}]

    told(story, "n1", "n2", "n3")


def test_while_the_api_server_is_away_it_is_asked_little_and_then_all_is_given() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.texts.said = {A: "hunter2"}
        hosts = [f"n{at}" for at in range(1, 6)]
        for host in hosts:
            giving.tell(host, A)
        giving.weather.outage = True
        await asyncio.sleep(5.5 * EACH_S)
        assert {name for _, name in giving.asked} == {files_secret(host) for host in hosts[:MOST_IN_VAIN]}
        assert len(giving.asked) <= 6 * MOST_IN_VAIN
        giving.weather.outage = False
        await asyncio.sleep(2 * EACH_S)
        assert [giving.has(host) for host in hosts] == [{A: "hunter2"}] * 5

    told(story, *(f"n{at}" for at in range(1, 6)))


def test_after_a_conflict_it_is_read_anew_and_nothing_of_another_is_overwritten() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.texts.said = {A: "hunter2"}
        conflict = Fate(error=Conflict("somebody was first"))
        giving.weather.fates.append((lambda request: request.verb == "patch", conflict))
        giving.tell("n1", A)
        await asyncio.sleep(3 * EACH_S)
        assert giving.has("n1") == {A: "hunter2"}
        name = files_secret("n1")
        assert giving.asked == [("get", name), ("patch", name), ("get", name), ("patch", name)]

    told(story, "n1")


def test_what_was_named_with_another_key_goes_after_a_while_as_all_that_is_needed_no_more() -> None:
    async def story(giving: Giving) -> None:
        giving.names_one()
        giving.texts.put_there_by_others = {"of another key"}
        giving.secret("n1", **{D: "of another key"})
        giving.texts.said = {A: "hunter2"}
        giving.tell("n1", A)
        await asyncio.sleep(2 * EACH_S)
        assert giving.has("n1") == {A: "hunter2", D: "of another key"}
        await asyncio.sleep(KEPT_S + READ_AGAIN_S)
        assert giving.has("n1") == {A: "hunter2"}

    told(story)
