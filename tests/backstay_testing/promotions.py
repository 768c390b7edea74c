"""Worlds of a service of mode Promotable, and what the judges say in them of who may be promoted, and who is the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backstay_api.objects.models.instance import GrantRecord
from backstay_operator.planner.judge import promotion, scores
from backstay_operator.planner.judge.judges import Filter
from backstay_operator.planner.judge.scores import Scorer
from backstay_operator.planner.know.parts import parts
from backstay_operator.planner.know.world import World

from .builders import a_service, an_instance, an_order, unit
from .worlds import Befall, add_host, all_of, nothing, report, say_ready, silence, tell

WRITER: Final = unit("writer", role="Promoted")
PAIR: Final = a_service("web", unit(), WRITER, mode="Promotable", replicas=2)
SCORED: Final = a_service(
    "web", unit(), WRITER, mode="Promotable", replicas=2, promotion={"scoreCommand": ["/position"]}
)
COPIES, ROLE = parts(PAIR)
_, SCORED_ROLE = parts(SCORED)
ROLE_SLOT: Final = 2


def copies(on: str, phase: str = "Running", *, healthy: bool = True) -> Befall:
    """Copy after copy, each on its host, and doing this; the promoted role was on none."""

    def befall(world: World) -> None:
        world.put_service(PAIR)
        world.put_instance(an_instance(ROLE_ALONE, epoch=1, slot=ROLE_SLOT))
        for slot, host in enumerate(on.split()):
            world.put_instance(an_instance(COPIES_ALONE, epoch=1, host=host, slot=slot))
            report(world, PAIR, host, phase, epoch=1, slot=slot, healthy=healthy)

    return befall


def named(service: Any) -> Any:
    """The part, with the slots of the whole: builders name instances by them."""
    return service.model_copy(update={"spec": service.spec.model_copy(update={"mode": "Promotable", "replicas": 2})})


COPIES_ALONE, ROLE_ALONE = named(COPIES), named(ROLE)


def stopping(world: World) -> None:
    copy = world.instances["shop/web-0"]
    tell(world, "n1", copy, an_order(copy, "Down"))


def starting(world: World) -> None:
    """One more copy, on n2."""
    world.put_instance(an_instance(COPIES_ALONE, epoch=1, host="n2", slot=1))
    report(world, PAIR, "n2", "Starting", epoch=1, slot=1)


def up_and_not_well(world: World) -> None:
    """The same, but that it runs, and does not work: it may wait for a promoted one."""
    proving(world)
    failed = [{"name": "main", "state": "Failed", "why": "no promoted one to follow"}]
    report(world, PAIR, "n2", "Running", epoch=1, slot=1, healthy=False, resources=failed)


def unclear(world: World) -> None:
    """It runs, as far as anybody can tell."""
    proving(world)
    hangs = [{"name": "main", "state": "Unknown", "why": "its check does not answer"}]
    report(world, PAIR, "n2", "Running", epoch=1, slot=1, healthy=False, resources=hangs)


def proving(world: World) -> None:
    """It runs, and none of its probes has been answered yet."""
    starting(world)
    report(world, PAIR, "n2", "Running", epoch=1, slot=1, healthy=False)


def promoted_last_on(host: str) -> Befall:
    def befall(world: World) -> None:
        role = world.instances["shop/web-promoted"]
        record = GrantRecord(epoch=1, host=host, at="2026-03-01T12:00:00Z", why="", verdicts=[])
        world.put_instance(role.model_copy(update={"spec": role.spec.model_copy(update={"grants": [record]})}))

    return befall


def position(host: str, score: int, **more: Any) -> Befall:
    return lambda world: say_ready(world, PAIR, host, slot=ROLE_SLOT, score=score, **more)


def answered(host: str, score: int, after: int) -> Befall:
    """Its agent says with its number of which epoch it knew that it is over."""
    return position(host, score, scoreAfter=after)


def free_for(seconds: float) -> Befall:
    """So long ago it was seen that nobody has the promoted role."""

    def befall(world: World) -> None:
        role = world.instances["shop/web-promoted"]
        world.free_s[role.uid] = (role.spec.epoch, world.now_s - seconds)

    return befall


def held_by(host: str) -> Befall:
    """The promoted role is, and nothing proves that its epoch is over."""
    return lambda world: world.put_instance(an_instance(ROLE_ALONE, epoch=1, host=host, slot=ROLE_SLOT))


def late(host: str) -> Befall:
    """With its heartbeat, and not silent yet."""
    return lambda world: silence(world, host, 1.0)


def drained(host: str) -> Befall:
    return lambda world: add_host(world, host, mode="Drain")


_ASKED: Final = {"service": ROLE, "instance": "shop/web-promoted"}
_SCORED: Final = {"service": SCORED_ROLE, "instance": "shop/web-promoted"}
_NONE: Final = "has no copy to promote: "
_WAITS: Final = "is not chosen yet: waiting for n2 to say how fresh its data is"
_LATE: Final = "is not chosen yet: waiting for n2, which has the freshest data and is late with its heartbeat"
_PROVING: Final = _LATE.replace("is late with its heartbeat", "has not been found to work yet")
_ENDED: Final = "is not chosen yet: waiting for n2 to say how far its data goes after epoch 1 ended"
BOTH: Final = copies("n1 n2")

FILTER_CASES: Final[Mapping[Filter, list[tuple[Befall, dict[str, Any], str]]]] = {
    promotion.keeps_its_copy: [
        (BOTH, _ASKED, ""),
        (copies("n2"), _ASKED, f"{_NONE}none is there"),
        (copies("n2"), {"service": COPIES}, ""),
        (all_of(BOTH, stopping), _ASKED, f"{_NONE}web-0 is being stopped there"),
        (copies("n1", "Failed"), _ASKED, f"{_NONE}web-0 is Failed there"),
        (copies("n1", "Stuck"), _ASKED, f"{_NONE}web-0 is Stuck there"),
        (copies("n1", "Starting"), _ASKED, ""),
        (copies("n1", healthy=False), _ASKED, ""),
    ],
    promotion.has_copy_that_works: [
        (BOTH, _ASKED, ""),
        (copies("n2"), _ASKED, f"{_NONE}none is there"),
        (copies("n2"), {"service": COPIES}, ""),
        (copies("n1", "Starting"), _ASKED, f"{_NONE}it does not work"),
        (copies("n1", healthy=False), _ASKED, f"{_NONE}it does not work"),
    ],
    promotion.has_fresh_data: [
        (BOTH, _ASKED, ""),
        (all_of(BOTH, position("n1", 7), position("n2", 5)), _SCORED, ""),
        (all_of(BOTH, position("n1", 7)), _SCORED, _WAITS),
        (all_of(BOTH, position("n1", 7)), {**_SCORED, "to": "n1"}, ""),
        (all_of(BOTH, position("n1", 7), position("n2", -1, scoreWhy="it is off")), _SCORED, ""),
        (
            all_of(BOTH, position("n1", -1, scoreWhy="/position exited with 1"), position("n2", 5)),
            _SCORED,
            "cannot say how fresh its data is: /position exited with 1",
        ),
        # Who has no copy, is lost, or is to be left, is waited for by nobody.
        (all_of(copies("n1"), position("n1", 7)), _SCORED, ""),
        (all_of(BOTH, position("n1", 7), lambda world: silence(world, "n2")), _SCORED, ""),
        (all_of(BOTH, position("n1", 7), drained("n2")), _SCORED, ""),
        (all_of(BOTH, position("n1", 7), late("n2")), _SCORED, _WAITS),
        # Before the first promotion any that starts may have data; later only that of the host that was promoted last.
        (all_of(copies("n1"), position("n1", 7), starting), _SCORED, _WAITS),
        (all_of(copies("n1"), position("n1", 7), up_and_not_well), _SCORED, _WAITS),
        (all_of(copies("n1"), position("n1", 7), up_and_not_well, position("n2", 9)), _SCORED, ""),
        (all_of(copies("n1"), position("n1", 7), starting, promoted_last_on("n2")), _SCORED, _WAITS),
        (all_of(copies("n1"), position("n1", 7), starting, promoted_last_on("n1")), _SCORED, ""),
        # Who could take over is judged by what is known: a host would not be fenced else.
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 0)), _SCORED, ""),
        # What is only starting will say it.
        (all_of(copies("n1 n2", "Starting"), position("n1", 7), position("n2", 5)), _SCORED, _WAITS.replace("n2", "n1, n2")),
    ],
    promotion.is_not_passed_over: [
        (all_of(copies("n1"), proving, position("n2", 9)), _ASKED, ""),
        (all_of(BOTH, position("n1", 7), position("n2", 9), late("n2")), {**_SCORED, "to": "n1"}, ""),
        # Who is merely late is waited for, unless another's data is as fresh: in a moment it can be promoted, or is silent.
        (all_of(BOTH, position("n1", 7), position("n2", 9), late("n2")), _SCORED, _LATE),
        (all_of(BOTH, position("n1", 7), position("n2", 7), late("n2")), _SCORED, ""),
        (all_of(copies("n1"), position("n1", 7), proving, position("n2", 9)), _SCORED, _PROVING),
        (all_of(copies("n1"), position("n1", 7), proving, position("n2", 7)), _SCORED, ""),
        # Nobody can tell whether it is up, and that may stay so: who has the highest number would be waited for for ever.
        (all_of(copies("n1"), position("n1", 7), unclear, position("n2", 9)), _SCORED, ""),
        (all_of(copies("n1"), position("n1", 7), proving, position("n2", 9), promoted_last_on("n1")), _SCORED, ""),
        # An epoch is over: who lives, and whose agent knows of it, says its number once more.
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 0)), _SCORED, _ENDED),
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", -1, 0)), _SCORED, _ENDED),
        (all_of(BOTH, answered("n1", 7, 0), answered("n2", 5, 0)), _SCORED, _ENDED.replace("n2", "n1, n2").replace("its", "their")),
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 1)), _SCORED, ""),
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 2)), _SCORED, ""),
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 0)), {**_SCORED, "to": "n1"}, ""),
        (all_of(BOTH, answered("n1", 7, 0), answered("n2", 5, 0)), _ASKED, ""),
        # An agent of an earlier release is waited for by nobody, though its number may be the highest.
        (all_of(BOTH, answered("n1", 7, 1), position("n2", 5)), _SCORED, ""),
        (all_of(BOTH, position("n1", 7), answered("n2", 5, 0)), _SCORED, _ENDED),
        # Nor who is late, silent, or to be left; nor anybody where one host alone could be promoted.
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 0), late("n2")), _SCORED, ""),
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 0), lambda world: silence(world, "n2")), _SCORED, ""),
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 0), drained("n2")), _SCORED, ""),
        (all_of(copies("n1"), answered("n1", 7, 0)), _SCORED, ""),
        # And nobody for ever: for no longer than the start of what is promoted may take.
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 0), free_for(promotion.START_S - 0.1)), _SCORED, _ENDED),
        (all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 0), free_for(promotion.START_S)), _SCORED, ""),
    ],
}  # fmt: skip

SCORE_CASES: Final[Mapping[Scorer, list[tuple[Befall, dict[str, Any], int]]]] = {
    scores.freshest: [
        (nothing, {}, 0),
        (all_of(BOTH, position("n1", 7)), _SCORED, 7),
        (all_of(BOTH, position("n1", -1)), _SCORED, 0),
        (all_of(BOTH, position("n1", 7)), _ASKED, 0),
    ],
}
