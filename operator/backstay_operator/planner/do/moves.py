"""Why a service that runs should run elsewhere, and where. No target that is ready, no stop (PROTOCOL 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backstay_api.objects.models import HAInstance, HAService, Host
from backstay_operator.planner.actions import Action, RemoveMoveWish
from backstay_operator.planner.judge.copies import are_many, instances_of, its_host
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.judge.placement import NoHost, Placed, better_host, must_leave, place
from backstay_operator.planner.judge.remains import stored_order
from backstay_operator.planner.judge.restless import Rests, rests
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.annotations import read_annotation
from backstay_operator.planner.know.holdings import not_ours
from backstay_operator.planner.know.parts import role_of
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import UNMANAGED

from .finalizers import HOST_FINALIZER, is_ours
from .orders import too_large
from .rounds import Round

MOVE_ANNOTATION: Final = "backstay.dev/move"
_TO_THE_SECOND: Final = 19


@dataclass(frozen=True)
class Wish:
    """What `backstay move` has written: a target, the generation it was meant for, when it is no longer meant, and which copy."""

    host: str
    generation: int | None
    expires: str
    instance: str = ""
    """Name of the HAInstance, where there are several."""


@dataclass(frozen=True)
class Move:
    """Stop here, for it will go on there."""

    placed: Placed
    why: str

    @property
    def host(self) -> str:
        return self.placed.host


@dataclass(frozen=True)
class Stay:
    """It stays. The text is empty where nothing asks for a move, else a sentence that says what stands against it."""

    why: str = ""
    nowhere: NoHost | None = None
    """What was found where it looked for another host."""


def wish_of(service: HAService) -> Wish | str | None:
    """The wish to move, if there is one; a sentence where it cannot be read."""
    return read_annotation(service, MOVE_ANNOTATION, _read_wish, "backstay move")


def _read_wish(raw: Any) -> Wish:
    generation = raw.get("generation")
    meant_for, expires = None if generation is None else int(generation), str(raw.get("expires") or "")
    return Wish(str(raw["host"]), meant_for, expires, str(raw.get("instance") or ""))


def spent_wish(world: World, service: HAService) -> list[Action]:
    """Take away a wish that is done, expired, outdated, or cannot be granted at all."""
    wish = wish_of(service)
    if wish is None:
        return []
    why = wish if isinstance(wish, str) else _why_spent(world, service, _meant(world, service, wish), wish)
    return [RemoveMoveWish(service, why)] if why else []


def _meant(world: World, service: HAService, wish: Wish) -> HAInstance | None:
    """The instance that it is about."""
    there = instances_of(world, service)
    return next((one for one in there if wish.instance in ("", one.metadata.name)), None)


def _why_spent(world: World, service: HAService, instance: HAInstance | None, wish: Wish) -> str:
    if not wish.instance and are_many(world, service):
        return f"it has several copies, and the move names none: backstay move {service.metadata.name} --instance NAME"
    if wish.instance and instance is None:
        return f"there is no instance {wish.instance}"
    if only := its_host(service, instance):
        return f"{wish.instance} is the copy of {only}: of mode EveryHost none moves"
    if instance is not None and instance.holder == wish.host:
        return f"it is on {wish.host}"
    if wish.host not in world.hosts:
        return f"there is no host {wish.host}"
    if _is_under_way(world, instance):
        return ""
    if service.spec.state == "Unmanaged":
        return UNMANAGED
    if wish.generation is not None and wish.generation != service.metadata.generation:
        return "the service has been edited since the move was asked for"
    # Both are the API server's form of RFC 3339 in UTC, which sorts as text; a person's order may end a second late.
    if wish.expires and wish.expires[:_TO_THE_SECOND] < world.wall[:_TO_THE_SECOND]:
        return f"it has expired ({wish.expires})"
    return ""


def _is_under_way(world: World, instance: HAInstance | None) -> bool:
    """What was stopped for a move is moved there even if the wish runs out on the way."""
    entry = stored_order(world, instance.holder, instance) if instance is not None else None
    return entry is not None and entry.want == "Down"


def wished_host(service: HAService, instance: HAInstance) -> str | None:
    """Where a person wants it."""
    wish = wish_of(service)
    meant = (instance.metadata.name,) if role_of(service) else ("", instance.metadata.name)
    return wish.host if isinstance(wish, Wish) and wish.instance in meant else None


def consider(round_: Round, service: HAService, instance: HAInstance) -> Move | Stay:
    """Whether an accepted service that runs on a live host shall stop there in order to go on elsewhere."""
    grant = instance.spec.grant
    assert grant is not None, f"{instance.key}: only what is granted can move"
    session = sessions.live(round_.world, grant.host)
    if session is None or session.ref != grant.session:
        return Stay()
    if service.spec.state == "Unmanaged":
        leave = must_leave(round_.world, service, instance, round_.planned)
        return Stay(f"{grant.host} {leave.why}, but {UNMANAGED}" if leave else "")
    for reason in (_asked_to, _must, _failed, _better):
        found = reason(round_, service, instance, grant.host)
        if found is not None:
            return _checked(round_, service, instance, found)
    return Stay()


def _asked_to(round_: Round, service: HAService, instance: HAInstance, holder: str) -> Move | Stay | None:
    to = wished_host(service, instance)
    if to is None or to == holder or spent_wish(round_.world, service):
        return None
    return _towards(elsewhere(round_, service, instance, to=to), f"a move to {to} was asked for")


def _must(round_: Round, service: HAService, instance: HAInstance, holder: str) -> Move | Stay | None:
    leave = must_leave(round_.world, service, instance, round_.planned)
    # A Host that we merely cannot read has not been removed: nothing leaves it for that.
    if leave is None or round_.world.cannot_read(Host, holder):
        return None
    if leave.is_between_services and (rest := rests(round_.world, service, instance)):
        failed = _failed(round_, service, instance, holder)
        return failed or _rests(f"{holder} {leave.why}, but {rest.why}", rest)
    return _towards(elsewhere(round_, service, instance), f"{holder} {leave.why}")


def _rests(why: str, rest: Rests) -> Stay:
    return Stay(why, NoHost(why, (), rest.until_s))


def elsewhere(
    round_: Round, service: HAService, instance: HAInstance | None, *, to: str | None = None, announced: str = ""
) -> Placed | NoHost:
    """Where it would go if it had to leave its holder; or whether it could go where a person wants it."""
    holder = (instance.holder,) if instance and instance.holder and to is None else ()
    return place(round_.world, service, instance, to=to, away_from=holder, planned=round_.planned, announced=announced)


def towards_any(round_: Round, service: HAService, instance: HAInstance, because: str) -> Move | Stay:
    """To the best host but its holder, if that could take it this very moment."""
    return _checked(round_, service, instance, _towards(elsewhere(round_, service, instance), because))


def _failed(round_: Round, service: HAService, instance: HAInstance, holder: str) -> Move | Stay | None:
    report = sessions.report_of(round_.world, holder, instance)
    if report is None or report.phase != "Failed":
        return None
    if report.revision != (service.metadata.generation or 0):
        return None  # the host has yet to try the present manifest
    because = f"{holder} could not run it{f': {report.why}' if report.why else ''}"
    away = _towards(elsewhere(round_, service, instance), because)
    if isinstance(away, Move):
        return away
    again = place(round_.world, service, instance, planned=round_.planned, retry=True)
    if isinstance(again, Placed):
        # There is nowhere else, and the failure is long enough ago: a new epoch, be it on the same host, is a new attempt.
        return Move(again, f"{because}; it is time to try again")
    return Stay(f"{because}, but it stays: {again.why}", again)


def _better(round_: Round, service: HAService, instance: HAInstance, holder: str) -> Move | Stay | None:
    better = better_host(round_.world, service, instance, round_.planned)
    if isinstance(better, NoHost):
        return Stay(better.why, better)
    if better is not None and (rest := rests(round_.world, service, instance)):
        return _rests(f"{better.why}; but {rest.why}", rest)
    return Move(better, better.why) if better is not None else None


def _towards(placed: Placed | NoHost, because: str) -> Move | Stay:
    if isinstance(placed, Placed):
        return Move(placed, because)
    return Stay(f"{because}, but it stays: {placed.why}", placed)


def _checked(round_: Round, service: HAService, instance: HAInstance, found: Move | Stay) -> Move | Stay:
    """Look at the target once more, with all that a grant will need; from here on it counts as on its way there."""
    if isinstance(found, Stay):
        return found
    obstacle = cannot_take(round_.world, service, instance, found.host)
    if obstacle:
        return Stay(f"{found.why}, but it stays: {obstacle}")
    round_.send(instance, found.host)
    return found


def cannot_take(world: World, service: HAService, instance: HAInstance, host: str) -> str | None:
    """Why a host that was chosen cannot be given a grant this very moment."""
    facts = facts_of(world, host)
    if rejected := facts.no_session or facts.leaving:
        return f"{host} {rejected.why}"
    if not is_ours(facts.host, HOST_FINALIZER):
        return f"the finalizer of {host} is being set first"
    if waits := not_ours(world, service, host):
        return waits
    return too_large(world, host, service, instance)
