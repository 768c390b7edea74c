"""A cluster in memory and a person at a terminal, for tests of the commands that people type."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

from typer.testing import CliRunner, Result

from backstay_api.client.errors import NotFound
from backstay_api.client.transport import ApiConfig
from backstay_api.memory.server import MemoryApi, MemoryCluster
from backstay_api.objects import lease
from backstay_api.objects.kinds import LEASES, NAMESPACES, Kind, raw
from backstay_api.objects.models import HAInstance, HAService, Host
from backstay_api.objects.models.base import GROUP, VERSION, Object
from backstay_cli.main import build
from backstay_cli.session import Options, Tools
from backstay_dev.simulator import virtualtime
from backstay_operator.planner.do.decisions import decide
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.host_status import host_status
from backstay_operator.planner.tell.status import service_status
from backstay_testing.builders import a_request, a_service, an_instance
from backstay_testing.worlds import a_world, add_host, report, say_ready

T = TypeVar("T")
NOW = "2026-03-01T12:00:00Z"


def kind_of(model: type[Object]) -> Kind[dict[str, Any]]:
    name = model.model_fields["kind"].default
    return raw(GROUP, VERSION, model.plural, name, model.namespaced, has_status=model.has_status)


class TokenApi(MemoryApi):
    """Makes tokens too (a fake: they only say what was asked for)."""

    def __init__(self, store: MemoryCluster, before_each_patch: Callable[[], object] = lambda: None) -> None:
        super().__init__(store)
        self._before_each_patch = before_each_patch

    async def patch(
        self,
        kind: Kind[T],
        name: str,
        body: Mapping[str, Any],
        namespace: str = "",
        *,
        subresource: str = "",
        timeout_s: float | None = None,
    ) -> T:
        self._before_each_patch()
        return await super().patch(kind, name, body, namespace, subresource=subresource, timeout_s=timeout_s)

    async def create(self, kind: Kind[Any], obj: Any, namespace: str = "", *, timeout_s: float | None = None) -> Any:
        if kind.kind != "TokenRequest":
            return await super().create(kind, obj, namespace, timeout_s=timeout_s)
        account = kind.plural.split("/")[1]
        return {"status": {"token": json.dumps({"account": account, **obj["spec"]})}}


@dataclass
class Cluster:
    """A cluster in memory and a person at a terminal (a fake of both), who answers every question alike."""

    store: MemoryCluster = field(default_factory=MemoryCluster)
    answer: bool = False
    asked: list[str] = field(default_factory=list)
    while_asked: Callable[[], object] = lambda: None
    """What happens while the person thinks."""
    endpoint: ClassVar[ApiConfig] = ApiConfig(servers=("https://api.example:6443",))
    meanwhile: Callable[[], object] = lambda: None
    """What happens a second after a command has begun."""
    before_each_patch: Callable[[], object] = lambda: None
    """What somebody else does just before a command writes."""
    opened: list[Options] = field(default_factory=list)
    """How the API server was called."""
    texts: dict[str, str] = field(default_factory=dict)
    """What stands at paths of the API server that are no objects."""

    def put(self, obj: Object) -> None:
        kind, body = kind_of(type(obj)), obj.wire()
        meta = {key: value for key, value in body["metadata"].items() if key != "resourceVersion"}
        namespace = meta.get("namespace", "")
        self.store.create(kind, namespace, {**body, "metadata": meta})
        if kind.has_status and "status" in body:
            self.store.patch(kind, (namespace, meta["name"]), {"status": body["status"]}, subresource="status")

    def create(self, kind: Kind[Any], body: Mapping[str, Any], namespace: str = "") -> None:
        """An object of a kind that is not ours."""
        typed = {"apiVersion": kind.api_version, "kind": kind.kind}
        meta = {**body["metadata"], **({"namespace": namespace} if namespace else {})}
        self.store.create(kind, namespace, {**typed, **body, "metadata": meta})

    def get(self, model: type[Object], name: str, namespace: str = "") -> Mapping[str, Any]:
        return self.store.get(kind_of(model), namespace, name)

    def tell_host(self, name: str, **status: Any) -> None:
        """As the operator tells it, in the words of the wire."""
        self.store.patch(kind_of(Host), ("", name), {"status": status}, subresource="status")

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(build(), list(words), obj=self._tools(), catch_exceptions=False)

    def offered(self, typed: str) -> list[str]:
        """What a TAB offers after `backstay` and this."""
        words = f"backstay {typed}"
        env = {"_BACKSTAY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        answer = CliRunner().invoke(build(), [], obj=self._tools(), prog_name="backstay", env=env)
        return answer.stdout.split()

    def _tools(self) -> Tools:
        return Tools(
            open_api=self._open,
            namespace_of=lambda options: "shop",
            who_am_i=self._who,
            wall=lambda: NOW,
            ask=self._ask,
            endpoint=lambda options: self.endpoint,
            run=self._run,
            read_text=self._read,
            server_time=self._time,
        )

    def _open(self, options: Options) -> MemoryApi:
        self.opened.append(options)
        return TokenApi(self.store, self.before_each_patch)

    def _run(self, command: Coroutine[Any, Any, int]) -> int:
        async def beside() -> int:
            asyncio.get_running_loop().call_later(1.0, self.meanwhile)
            return await command

        return virtualtime.run(beside())

    async def _read(self, api: object, path: str) -> str:
        if path not in self.texts:
            raise NotFound(f"there is no {path}")
        return self.texts[path]

    async def _time(self, api: object) -> str:
        return NOW

    async def _who(self, api: object) -> str:
        return "alice"

    def _ask(self, question: str) -> bool:
        self.asked.append(question)
        self.while_asked()
        return self.answer


def a_cluster(*, holder: str | None = "n1", ready: tuple[str, ...] = ("n2",), **spec: Any) -> Cluster:
    """web on n1, n2 ready, n3 cordoned; told as the operator tells it."""
    cluster, world = Cluster(), a_world("n1", "n2")
    cluster.create(NAMESPACES, {"metadata": {"name": "kube-system"}})
    add_host(world, "n3", mode="Cordon")
    run_on(cluster, world, a_service(**spec), holder, ready)
    tell(cluster, world)
    return cluster


def run_on(cluster: Cluster, world: World, service: HAService, holder: str | None, ready: tuple[str, ...]) -> None:
    """The in-memory API gives its own UIDs, so the instance is found by those."""
    cluster.put(service)
    service = HAService.from_wire(cluster.get(HAService, service.metadata.name, "shop"))
    cluster.put(an_instance(service, epoch=1, host=holder))
    instance = HAInstance.from_wire(cluster.get(HAInstance, service.slots[0], "shop"))
    world.put_service(service)
    world.put_instance(instance)
    say_ready(world, service, *ready, uid=instance.uid)
    if holder:
        report(world, service, holder, "Running", epoch=1, uid=instance.uid)


def tell(cluster: Cluster, world: World) -> None:
    """What the operator says, and all that it has seen."""
    for service in world.services.values():
        told = service_status(world, decide(begin(world), service))
        at = ("shop", service.metadata.name)
        cluster.store.patch(kind_of(HAService), at, {"status": told.wire()}, subresource="status")
    for claim in world.claims.values():
        cluster.put(claim)
    for name in world.hosts:
        patch = host_status(world, world.hosts[name]) or {}
        cluster.put(Host.from_wire({**world.hosts[name].wire(), "status": patch}))
        cluster.put(world.assignments[name])
        body = lease.write(world.leases[name].lease)
        body["metadata"].pop("resourceVersion")
        cluster.store.create(LEASES, "backstay-hosts", body)


def ask_about(cluster: Cluster, want: Literal["Observe", "Off", "Withdrawn"] = "Off", **status: Any) -> None:
    cluster.put(a_request("n1", want=want, name="n1-abc", status=status))
