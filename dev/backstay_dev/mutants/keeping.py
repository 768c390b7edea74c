"""Mutants of what is kept or shared: what it was made from is short of one fact."""

from __future__ import annotations

from typing import Final

from .kinds import PLANNER, UNIT, Mutant, one

_REST: Final = f"{PLANNER}/rest.py"
_AROUND: Final = f"{PLANNER}/surroundings.py"
_TOUCHED: Final = f"{PLANNER}/know/touched.py"
_ORDERS: Final = f"{PLANNER}/do/orders.py"
_BY_HOST: Final = f"{PLANNER}/by_host.py"
_STRANGERS: Final = f"{PLANNER}/judge/strangers.py"
_SHARES: Final = f"{UNIT}/planner/judge/test_strangers.py"
_KEPT: Final = "tests/property/test_kept_plans.py"
_WAITING: Final = "tests/property/test_kept_while_waiting.py"


def _short_of(fact: str, old: str, new: str) -> Mutant:
    return one(f"a plan is kept only while this is the same: {fact}", _REST, old, new, _KEPT)


def _while_it_waits(fact: str, file: str, old: str, new: str) -> Mutant:
    return one(f"the plan of what waits is kept only while this is the same: {fact}", file, old, new, _WAITING)


def _around(fact: str, old: str) -> Mutant:
    return one(f"a plan is kept only while this of its hosts is the same: {fact}", _AROUND, old, "", _KEPT)


def _unseen(what: str, old: str, new: str) -> Mutant:
    return one(
        f"a plan is looked up again where this is another: {what}",
        _TOUCHED,
        old,
        new,
        "tests/unit/planner/know/test_touched.py",
    )


def _kept_orders(fact: str, old: str, new: str) -> Mutant:
    return one(
        f"what is written of orders is kept only while this is the same: {fact}",
        _ORDERS,
        old,
        new,
        "tests/unit/planner/test_by_host.py",
    )


MUTANTS: Final[tuple[Mutant, ...]] = (
    _short_of("the hosts that it selects", "(values, circle, *hosts,", "(values, None, *hosts,"),
    _short_of("the service", "circle, *hosts, service, *instances,", "circle, *hosts, *instances,"),
    _short_of("its instances", "service, *instances, *claims,", "service, *claims,"),
    _while_it_waits("what a copy that is gone has left", _REST, ", *_gone(world, service, claims)]", "]"),
    _short_of("what hosts say", "*claims, *entries, *waits, *named, *texts)", "*claims, *waits, *named, *texts)"),
    _short_of("what ConfigMaps say", "*waits, *named, *texts)", "*waits, *named)"),
    _short_of("what hosts report of what runs", "spec.roles, status.instances,", "spec.roles,"),
    _short_of(
        "what hosts answer", "status.instances, status.standbys, status.roles):", "status.instances, status.roles):"
    ),
    _short_of("what hosts were told", "in (spec.instances, spec.standbys,", "in (spec.standbys,"),
    _around("whether it could be fenced", "                fence_path(world, name) if host is not None else None,\n"),
    _short_of("what losses would leave over", " | _lost_otherwise(world) if last", " if last"),
    one(
        "a plan is kept only while this of a host that its service does not select is the same",
        _REST,
        "self.around.said.get(host) is made[2 + at] for",
        "True for",
        _KEPT,
    ),
    one(
        "a service that does not select the host which holds it knows that host all the same",
        _REST,
        "    return tuple(sorted(found - circle.hosts))",
        "    return ()",
        _KEPT,
    ),
    one(
        "a plan is kept only while this is the same: all that concerns everybody",
        _AROUND,
        "    if is_all_else_same:\n",
        "    if said:\n",
        _KEPT,
    ),
    _short_of(
        "what is refused",
        '"failed_s", "rebooting", "ready_s", "kept"',
        '"failed_s", "rebooting", "ready_s", "refused", "kept"',
    ),
    _unseen("a ConfigMap", "found |= world.named_by.get(name, set())", "found |= set()"),
    _unseen("the service", "set(_replaced(before.services, world.services))", "set[str]()"),
    _unseen(
        "an instance",
        "for key in _replaced(before.instances, world.instances):",
        "for key in list[str]():",
    ),
    one(
        "a plan is looked up again where this is another: what a host has of what it needs",
        _TOUCHED,
        "looks = spec.prerequisites, status.prerequisites",
        "looks = dict[str, object](), dict[str, object]()",
        _KEPT,
    ),
    _unseen("a claim", "found |= world.wanted_by.get(name, set())", "found |= set()"),
    _unseen(
        "what hosts say",
        "return spec.instances, spec.standbys, spec.roles, status.instances, status.standbys, status.roles, *looks",
        "return {}, {}, {}, {}, {}, {}, *looks",
    ),
    one(
        "a plan is looked up again where this is another: what a copy that is gone has left",
        _TOUCHED,
        "services.update(there.values(), _recorded_for(world, gone),",
        "services.update(there.values(),",
        _KEPT,
    ),
    one(
        "a plan is looked up again where this is another: whether it waits for a reboot",
        _TOUCHED,
        ", *_replaced(before.rebooting, world.rebooting)}",
        "}",
        "tests/unit/planner/know/test_touched.py",
    ),
    _while_it_waits("who else wants it", _REST, ", rivals, named_too)", ", named_too)"),
    _while_it_waits("whether its name is free", _REST, "*waits, *named, *texts)", "*waits, *texts)"),
    _while_it_waits("what is left under its name", _REST, "rivals, named_too)", "rivals)"),
    _while_it_waits(
        "who has come to want it", _TOUCHED, "    found.update(_wanting(before, world, tuple(found)))\n", ""
    ),
    _while_it_waits("what a host says of its name", _TOUCHED, ", _of_that_name(before, world, gone))", ")"),
    _while_it_waits(
        "objects of other names that it goes by",
        _REST,
        "return is_even and not plan.reads_other_names and self",
        "return is_even and self",
    ),
    _while_it_waits(
        "who is asked by how many services hosts have",
        _REST,
        "self.around.has_as_many(made[1])",
        "True",
    ),
    _while_it_waits(
        "how many services come to the host that is found",
        _REST,
        "len(held.get(host, ())) + len(planned.get(host, ()))",
        "0",
    ),
    _while_it_waits(
        "that what is on its way counts, though it was decided in an earlier round",
        _REST,
        "            known.round_.send(instance, host)\n",
        "            pass\n",
    ),
    _while_it_waits(
        "which host was found that cannot take it yet",
        f"{PLANNER}/keepable.py",
        "slot.is_leaving or course.goes_by_load:",
        "slot.is_leaving:",
    ),
    one(
        "what is asked of a host is gathered anew where a plan says something else about it",
        _BY_HOST,
        "found.update(_told(old), _told(new))",
        "found.update(_told(old))",
        "tests/unit/planner/test_by_host.py",
    ),
    one(
        "what is asked of a host is gathered anew where other units may not start by themselves there",
        _BY_HOST,
        "found.update(old.candidates, new.candidates)",
        "found.update(old.candidates)",
        "tests/unit/planner/test_by_host.py",
    ),
    _kept_orders(
        "the host", "made_from = (assignment, world.hosts.get(host), *asked)", "made_from = (assignment, *asked)"
    ),
    _kept_orders("what is wanted there", "asked = (wanted.instances, wanted.standbys,", "asked = (wanted.standbys,"),
    _kept_orders("its orders", "made_from = (assignment, world.hosts", "made_from = (world.hosts"),
    _kept_orders(
        "that nothing is left over",
        "    return assignment.status.instances.keys() <= ordered <= wanted.instances.keys()",
        "    return assignment.status.instances.keys() <= ordered",
    ),
    one(
        "a verdict is shared by those with one selector",
        _STRANGERS,
        "    is_selected: _selector,",
        "    is_selected: _nothing,",
        _SHARES,
    ),
    one(
        "a verdict is shared by those with the same tolerations",
        _STRANGERS,
        "    return tuple([one.model_dump_json() for one in ask.service.spec.placement.tolerations or ()])",
        "    return None",
        _SHARES,
    ),
    one(
        "a verdict on a host is not shared by whoever it was asked about",
        _STRANGERS,
        "    return {ask.holder, *asked} if ask.holder else asked",
        "    return {ask.holder}",
        _SHARES,
    ),
    one(
        "a verdict on a host is not shared by what it holds",
        _STRANGERS,
        "    return {ask.holder, *asked} if ask.holder else asked",
        "    return asked",
        _SHARES,
    ),
    one(
        "a full host is full for instances that are there alone",
        _STRANGERS,
        "    return ask.instance is None",
        "    return True",
        _SHARES,
    ),
    one(
        "what is shared is what a stranger is told",
        _STRANGERS,
        "    return replace(ask, instance=unknown, noted={})",
        "    return ask",
        _SHARES,
    ),
    one(
        "what counts services that are on their way is not shared",
        _STRANGERS,
        "    if ask.planned or any(",
        "    if any(",
        _SHARES,
    ),
)
