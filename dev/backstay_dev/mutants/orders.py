"""Mutants of orders, claims and what is left behind (PROTOCOL 2 and 6)."""

from __future__ import annotations

from typing import Final

from .kinds import CONTROL, PLANNER, STORIES, UNIT, Edit, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "an order is sent to the session of its grant",
        f"{PLANNER}/judge/remains.py",
        "(entry.epoch, entry.session) != (instance.spec.epoch, grant.session):",
        "entry.epoch != instance.spec.epoch:",
        f"{STORIES}/test_edges.py",
    ),
    one(
        "a Down by a hand stays a Down",
        f"{PLANNER}/do/orders.py",
        '        return other.model_copy(update={"want": "Down"}) if one.want == "Down" else other',
        "        return other",
        f"{STORIES}/test_edges.py",
    ),
    one(
        "what cannot be planned gives back no unit",
        f"{PLANNER}/do/orders.py",
        ("    if wanted.keep_secured:\n        return wanted.secured | frozenset(assignment.spec.secured)\n"),
        "",
        f"{UNIT}/planner/do/test_giving_back.py",
    ),
    one(
        "a carried copy is ordered down under the next epoch",
        f"{PLANNER}/do/leftovers.py",
        "        epoch = said.epoch + 1 if instance is None and session.supersedes else said.epoch",
        "        epoch = said.epoch",
        f"{STORIES}/test_left_behind.py",
    ),
    one(
        "what is gone is asked of the API server before it is stopped",
        f"{PLANNER}/do/leftovers.py",
        "    needs = {uid: (_gone(uid, order),) for uid, order in downs.items() if instance_of(world, uid, order) is None}",
        "    needs = dict[str, tuple[Precondition, ...]]()",
        f"{STORIES}/test_left_behind.py",
    ),
    one(
        "what cannot be read is not called gone",
        f"{PLANNER}/do/leftovers.py",
        "        return not world.cannot_read(HAInstance, HA_INSTANCES.key(entry.namespace, entry.name))",
        "        return True",
        f"{STORIES}/test_left_behind.py",
    ),
    one(
        "an entry goes only when the host says so",
        f"{PLANNER}/judge/remains.py",
        "    if report is not None and (report.epoch > entry.epoch or (report.epoch == entry.epoch and report.released)):",
        "    if report is not None and report.epoch >= entry.epoch:",
        f"{STORIES}/test_left_behind.py",
    ),
    one(
        "a host that is silent may run what it was told last",
        f"{PLANNER}/judge/remains.py",
        "    return report is None and session is not None and session.ref != entry.session",
        "    return report is None",
        f"{STORIES}/test_left_behind.py",
    ),
    one(
        "that a host holds nothing is asked of the API server",
        f"{PLANNER}/do/removal.py",
        '        needs = (HoldsNothing(name, f"the Host {name} goes when it holds nothing"),)',
        "        needs = ()",
        f"{STORIES}/test_left_behind.py",
    ),
    one(
        "a claim is given back on a report of the newer manifest",
        f"{PLANNER}/do/ownership.py",
        "    is_rid = all(remains.runs_only_this(world, service, one) for one in instances)",
        "    is_rid = True",
        f"{STORIES}/test_claims.py",
    ),
    one(
        "what a read did not find is missed, not gone",
        f"{CONTROL}/watch/cache.py",
        "                self.world.missed[kind.kind, key] = meta",
        "                pass",
        f"{UNIT}/control/watch/test_cache.py",
    ),
    one(
        "an answer from the past says nothing of what is not there",
        f"{CONTROL}/act/preconditions.py",
        "        if int(listing.resource_version) < newest:",
        "        if False:",
        f"{UNIT}/control/act/test_preconditions.py",
        "tests/simulation/test_worlds.py",
    ),
    one(
        "no mark is given back that a service names",
        f"{PLANNER}/do/orders.py",
        "(_needs_to_give_back(world, host, given_back) if given_back else ())",
        "()",
        "tests/simulation/test_worlds.py",
    ),
    one(
        "marks are given back of the version that was decided on",
        f"{CONTROL}/act/apply.py",
        "        gone = action.gives_back if stored.metadata.resource_version == action.version else frozenset[str]()",
        "        gone = action.gives_back",
        f"{UNIT}/control/act/test_apply.py",
    ),
    # Either of the two suffices there.
    Mutant(
        "no mark is given back while a service or a host is missed, and what it stands for is confirmed",
        (
            Edit(f"{PLANNER}/plan.py", "(*world.unreadable, *world.missed)", "world.unreadable"),
            Edit(
                f"{PLANNER}/do/orders.py",
                "(_needs_to_give_back(world, host, given_back) if given_back else ())",
                "()",
            ),
        ),
        ("tests/simulation/test_worlds.py",),
    ),
)
