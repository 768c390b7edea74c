"""Mutants of services of several copies: their slots, hosts and claims (PROTOCOL 6)."""

from __future__ import annotations

from typing import Final

from .kinds import CONTROL, PLANNER, UNIT, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "two copies of one service are never on one host",
        f"{PLANNER}/judge/judges.py",
        "    name = other_there(ask.world, ask.service, ask.instance, facts.name) or _on_its_way(ask, facts.name)\n",
        "    name = _on_its_way(ask, facts.name)\n",
        f"{UNIT}/planner/judge/test_judges.py",
    ),
    one(
        "nor on their way to one",
        f"{PLANNER}/judge/judges.py",
        "    name = other_there(ask.world, ask.service, ask.instance, facts.name) or _on_its_way(ask, facts.name)\n",
        "    name = other_there(ask.world, ask.service, ask.instance, facts.name)\n",
        f"{UNIT}/planner/judge/test_judges.py",
    ),
    one(
        "a copy that may be ordered to a host is there",
        f"{PLANNER}/judge/copies.py",
        "        if may_be_ordered(world, service, owner) or _is_left",
        "        if _is_left",
        f"{UNIT}/planner/judge/test_judges.py",
    ),
    one(
        "a grant asks whether another copy was granted there",
        f"{CONTROL}/act/preconditions.py",
        "                other = next((one for one in found if one.uid != need.but), None)\n",
        "                other = None\n",
        f"{UNIT}/control/act/test_preconditions.py",
    ),
    one(
        "the copy that the claims of a host are not recorded for gives way",
        f"{PLANNER}/judge/copies.py",
        "    others = (recorded & there) - {instance.uid}\n",
        "    others = set[str]()\n",
        f"{UNIT}/planner/do/test_ownership.py",
    ),
    one(
        "nothing is given back while a copy may be there that nobody has seen",
        f"{PLANNER}/do/ownership.py",
        "    return unedited, *as_seen, NoInstances(namespace, service.uid, what_for, but=known)\n",
        "    return unedited, *as_seen\n",
        f"{UNIT}/planner/do/test_giving_back.py",
    ),
    one(
        "nothing is given back while another copy runs by the earlier manifest",
        f"{PLANNER}/do/ownership.py",
        "    is_rid = all(remains",
        "    is_rid = any(remains",
        f"{UNIT}/planner/do/test_giving_back.py",
    ),
    one(
        "scaling down takes the copy that is wanted least",
        f"{PLANNER}/do/slots.py",
        "    kept, numbers = ranked[first:],",
        "    kept, numbers = ranked[: len(ranked) - first],",
        f"{UNIT}/planner/do/test_slots.py",
    ),
    one(
        "a refused manifest takes no copy away",
        f"{PLANNER}/do/slots.py",
        "    if not is_accepted:\n",
        "    if False:\n",
        f"{UNIT}/planner/do/test_slots.py",
    ),
    one(
        "an edit goes from one copy to the next",
        f"{PLANNER}/do/rolling.py",
        "    round_.edited.add(instance.uid)\n",
        "",
        f"{UNIT}/planner/do/test_rolling.py",
    ),
    one(
        "an edit waits until the copy before works",
        f"{PLANNER}/do/rolling.py",
        "    return not _works(world, instance)\n",
        "    return False\n",
        f"{UNIT}/planner/do/test_rolling.py",
    ),
    one(
        "one address is not on as many hosts as there are copies",
        f"{PLANNER}/judge/acceptance.py",
        "    for resource in service.spec.resources if service.has_many else ():\n",
        "    for resource in ():\n",
        f"{UNIT}/planner/judge/test_acceptance.py",
    ),
)
