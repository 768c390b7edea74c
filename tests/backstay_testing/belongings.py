"""Who has what, in a few words: claims that are there, and what is done about them."""

from __future__ import annotations

from backstay_api.objects.models import HAService, ResourceClaim
from backstay_operator.planner.actions import Action, CreateClaim, DeleteClaim, SetFinalizer, WriteClaim
from backstay_operator.planner.know.world import World

from .builders import address, being_deleted, claims
from .worlds import Befall

VIP = address("192.0.2.10/24")


def claim(world: World, *some: ResourceClaim) -> None:
    world.claims.update({one.key: one for one in some})


def owners(claim: ResourceClaim) -> str:
    """Whose it is: `web`, or host by host `n1 web, n2 other`."""
    if claim.spec.owner is not None:
        return claim.spec.owner.name
    return ", ".join(f"{one.host} {one.name}" for one in claim.spec.hosts or ())


def said(action: Action) -> str:
    match action:
        case CreateClaim(claim=made):
            return f"claim {made.spec.type}: {owners(made)}"
        case WriteClaim(before=before, spec=spec):
            return f"write {spec.type}: {owners(before.model_copy(update={'spec': spec}))}"
        case DeleteClaim(before=before):
            return f"give back {before.spec.type}"
        case SetFinalizer(before=before, present=present):
            return f"{'mark' if present else 'unmark'} {type(before).__name__}"
        case _:
            return type(action).__name__


def has(service: HAService, *hosts: str) -> Befall:
    """Claims for all that this service names are there."""
    return lambda world: claim(world, *claims(service, *hosts))


def noting(service: HAService, instance: str, epoch: int, revision: int) -> list[ResourceClaim]:
    """Claims on n1 and n2 that record this."""
    made = []
    for one in claims(service, "n1", "n2"):
        news = {"instance": instance, "epoch": epoch, "revision": revision}
        owner, hosts = one.spec.owner, one.spec.hosts
        parts = {
            "owner": owner.model_copy(update=news) if owner is not None else None,
            "hosts": [each.model_copy(update=news) for each in hosts] if hosts is not None else None,
        }
        made.append(one.model_copy(update={"spec": one.spec.model_copy(update=parts)}))
    return made


def leaving(name: str) -> Befall:
    return lambda world: world.hosts.update({name: being_deleted(world.hosts[name])})
