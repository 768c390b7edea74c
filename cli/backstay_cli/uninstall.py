"""`backstay uninstall`: what is left of Backstay in this cluster, in which order it goes, and the way out where no operator runs.

Finalizers keep a service's object until its stop is verified, and only an operator verifies. Without one the objects would
hang at `kubectl delete` for ever: then a person says that nothing runs, and they are let go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from backstay_api.client.api import Api
from backstay_api.client.errors import NotFound
from backstay_api.objects.kinds import Kind
from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host, ResourceClaim
from backstay_api.objects.models.base import Object
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HA_INSTANCES, HA_SERVICES, HOSTS, RESOURCE_CLAIMS
from backstay_operator.planner.know.world import World

from .operators import operator_trouble
from .rights import rights_to
from .session import NOT_WELL, WELL, Session, Stop
from .view import EVERYTHING, VIEW, look

OURS: Final = "backstay.dev/"
_ROLE: Final = "cluster-admin"

_ORDER: Final = """
In this order, while an operator runs:
  1. kubectl delete haservices --all -A          stops them, verified
  2. for each host:  backstay host remove HOST
     and on it:      systemctl disable --now backstay-agent && backstay-agent --remove
  3. helm uninstall RELEASE --namespace backstay-system
  4. kubectl delete namespaces backstay-hosts backstay-fencing, and the definitions: kubectl delete crd haservices.backstay.dev …
Where no operator runs any more, objects are stuck in deletion: `backstay uninstall --release`."""


async def uninstall(
    session: Session,
    release: Annotated[
        bool, typer.Option("--release", help="Release objects that are stuck in deletion, where no operator runs.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --release: also what may still run. I have stopped it myself.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 5 where something is left.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> int:
    """Say what is left of Backstay here and in which order it goes; with --release, release what is stuck without an operator."""
    await session.need(EVERYTHING, VIEW)
    world = (await look(session)).world
    if release:
        return await _release(session, world, force=force, yes=yes)
    left = list(_left(world))
    data = {"left": [{"what": what, "state": state} for what, state in left]}

    def human() -> None:
        for what, state in left:
            session.say(f"{what}: {state}")
        session.say(_ORDER if left else "Nothing is left but the definitions, the namespaces and the chart.")

    session.show(data, human)
    return NOT_WELL if check and left else WELL


def _left(world: World) -> Iterator[tuple[str, str]]:
    for key, service in sorted(world.services.items()):
        hangs = ", is being deleted" if service.metadata.deletion_timestamp else ""
        yield f"service {key}", f"{service.status.state or 'Unknown'} on {service.status.host or 'no host'}{hangs}"
    for key, instance in sorted(world.instances.items()):
        if instance.holder:
            yield f"instance {key}", f"may run on {instance.holder}"
    for key, host in sorted(world.hosts.items()):
        hangs = (
            "is being deleted"
            if host.metadata.deletion_timestamp
            else "its agent keeps units from starting by themselves"
        )
        yield f"host {key}", hangs
    for key, request in sorted(world.requests.items()):
        yield f"fence request {key}", f"wants {request.spec.want} for {request.spec.host}"


@dataclass(frozen=True)
class _Hanging:
    """What is being deleted and cannot go without an operator."""

    services: Sequence[HAService]
    hosts: Sequence[Host]
    instances: Sequence[HAInstance]
    requests: Sequence[FenceRequest]
    may_run: Sequence[str]
    """Instances that nobody has verified to be stopped, and where."""


def _hanging(world: World) -> _Hanging:
    services = [one for one in world.services.values() if one.metadata.deletion_timestamp]
    hosts = [one for one in world.hosts.values() if one.metadata.deletion_timestamp]
    gone, known = {one.uid for one in services}, {one.uid for one in world.services.values()}
    held = [one for one in world.instances.values() if one.holder]
    instances = [
        one
        for one in world.instances.values()
        if one.spec.service.uid in gone or one.metadata.deletion_timestamp or one.spec.service.uid not in known
    ]
    may_run = sorted(f"{one.key} on {one.holder}" for one in held if one in instances)
    leaving = {host.key for host in hosts}
    stays = [one for one in held if one not in instances and one.holder in leaving]
    may_run += sorted(f"{one.key} on {one.holder}, which is not being released" for one in stays)
    requests = [one for one in world.requests.values() if one.metadata.deletion_timestamp]
    return _Hanging(services, hosts, instances, requests, may_run)


async def _release(session: Session, world: World, *, force: bool, yes: bool) -> int:
    found = _hanging(world)
    if not (found.services or found.hosts or found.instances or found.requests):
        raise Stop("nothing is stuck: only what is being deleted is released (kubectl delete it first)")
    if not await operator_trouble(session):
        raise Stop(
            "an operator is running: it releases by itself what is verifiably stopped, and says in the status what it waits for"
        )
    if found.may_run and not force:
        raise Stop(
            f"nobody has verified that these are stopped: {'; '.join(found.may_run)}. Stop them there (`systemctl disable --now"
            " backstay-agent`, stop their units, `backstay-agent --remove`), or cut those machines' power; then --force"
        )
    await session.need([*_rights()], _ROLE)
    if not yes and not session.tools.ask(_question(found)):
        raise Stop("nothing was released")
    done = await _let_go(session.api, world, found)
    for what in done:
        session.say(f"{what} released")
    session.show({"released": done}, lambda: None)
    return WELL


def _rights() -> Iterator[Any]:
    yield from rights_to("patch", HA_SERVICES)
    yield from rights_to("patch", HOSTS)
    yield from rights_to("patch", FENCE_REQUESTS)
    yield from rights_to("patch delete break-glass", HA_INSTANCES)
    yield from rights_to("patch delete", RESOURCE_CLAIMS)


def _question(found: _Hanging) -> str:
    requests = [f"fence request {one.key} (is its machine to be on again?)" for one in found.requests]
    names = ", ".join(
        sorted([*(one.key for one in found.services), *(f"host {one.key}" for one in found.hosts), *requests])
    )
    stopped = f"Have you stopped {'; '.join(found.may_run)} yourself, on those machines?\n" if found.may_run else ""
    return f"{stopped}Release {names or 'instances without a service'}?"


async def _let_go(api: Api, world: World, found: _Hanging) -> list[str]:
    """Instances and claims first: what is let go last still shows what was begun."""
    done = []
    for instance in found.instances:
        done.append(await _without_finalizers(api, HA_INSTANCES, instance))
        with suppress(NotFound):
            await api.delete(HA_INSTANCES, instance.metadata.name, instance.metadata.namespace or "", uid=instance.uid)
    for claim in world.claims.values():
        if {one.uid for one in claim.owners} & {one.uid for one in found.services}:
            done.append(await _without_owners(api, claim, {one.uid for one in found.services}))
    for kind, objects in ((HA_SERVICES, found.services), (FENCE_REQUESTS, found.requests), (HOSTS, found.hosts)):
        done += [await _without_finalizers(api, kind, one) for one in objects]
    return done


async def _without_owners(api: Api, claim: ResourceClaim, uids: set[str]) -> str:
    others = [one.wire() for one in claim.spec.hosts or () if one.uid not in uids]
    with suppress(NotFound):
        if others:
            meta = {"resourceVersion": claim.metadata.resource_version}
            await api.patch(RESOURCE_CLAIMS, claim.metadata.name, {"metadata": meta, "spec": {"hosts": others}})
        else:
            await api.delete(RESOURCE_CLAIMS, claim.metadata.name, uid=claim.metadata.uid)
    return f"ResourceClaim {claim.key}"


async def _without_finalizers(api: Api, kind: Kind[Any], one: Object) -> str:
    """Ours only, others are somebody else's word; and only of exactly what was judged."""
    others = [finalizer for finalizer in one.metadata.finalizers or [] if not finalizer.startswith(OURS)]
    meta = {"finalizers": others or None, "resourceVersion": one.metadata.resource_version}
    with suppress(NotFound):
        await api.patch(kind, one.metadata.name, {"metadata": meta}, one.metadata.namespace or "")
    return f"{kind.kind} {one.key}"
