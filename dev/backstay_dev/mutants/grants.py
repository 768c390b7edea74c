"""Mutants of grants, orders, claims and the writes that carry them (PROTOCOL 1, 2 and 6)."""

from __future__ import annotations

from typing import Final

from .kinds import API, CONTROL, PLANNER, STORIES, UNIT, Edit, Mutant, one

_APPLY: Final = f"{CONTROL}/act/apply.py"
_INSTANCES: Final = f"{PLANNER}/do/instances.py"
_OWNERSHIP: Final = f"{PLANNER}/do/ownership.py"
_ORDERS: Final = f"{PLANNER}/do/orders.py"
_KINDS: Final = f"{API}/objects/resource_kinds.py"
_FIRST: Final = f"{PLANNER}/judge/first_epoch.py"
_MOVES: Final = f"{PLANNER}/do/moves.py"
_S: Final = (STORIES, "tests/property")
_A: Final = (f"{UNIT}/control/test_apply.py",)
_U: Final = (
    f"{UNIT}/control/test_preconditions.py",
    f"{UNIT}/control/test_apply.py",
    f"{UNIT}/control/test_reconciler.py",
)

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "a grant is a compare-and-swap, and the rule on epochs holds it too",
        (
            Edit(
                _APPLY,
                '        await self._replace(api, HA_INSTANCES, before.model_copy(update={"spec": action.spec}))',
                '        spec = {"grant": None, "closed": None, **action.spec.wire()}\n'
                '        name, namespace = before.metadata.name, before.metadata.namespace or ""\n'
                '        self._keep(HA_INSTANCES, await api.patch(HA_INSTANCES, name, {"spec": spec}, namespace))',
            ),
            Edit(
                f"{API}/objects/models/instance.py",
                "        _EPOCH_STEP,\n        _EVIDENCE,\n        _GRANTED,\n        _GRANT_KEPT,\n        _CLOSED_KEPT,\n",
                "        _GRANTED,\n",
            ),
        ),
        (*_A, "sim:late-writes"),
    ),
    one(
        "no grant without our finalizer on the HAService",
        _OWNERSHIP,
        "    if not is_ours(service, SERVICE_FINALIZER):\n        return",
        "    if False:\n        return",
        f"{UNIT}/planner/do/test_ownership.py",
    ),
    one(
        "no grant without our finalizer on the HAInstance",
        _OWNERSHIP,
        "    if instance is not None and not is_ours(instance, INSTANCE_FINALIZER):\n        return",
        "    if False:\n        return",
        f"{UNIT}/planner/do/test_ownership.py",
    ),
    one(
        "no grant without our finalizer on the Host",
        _MOVES,
        "    if HOST_FINALIZER not in (known.metadata.finalizers or []):",
        "    if False:",
        *_S,
    ),
    Mutant(
        "nothing is granted to a host that is being removed",
        (
            Edit(_MOVES, "    if known.metadata.deletion_timestamp is not None:", "    if False:"),
            Edit(
                f"{PLANNER}/judge/judges.py",
                "    if host.metadata.deletion_timestamp:\n        return Rejected(",
                "    if False:\n        return Rejected(",
            ),
        ),
        (*_S, f"{UNIT}/planner/judge/test_placement.py"),
    ),
    one(
        "the API server is asked once more for all that a grant stands on",
        _OWNERSHIP,
        "    return (is_there, stays, *holdings.needs(world, service, host))",
        "    return ()",
        f"{STORIES}/test_edges.py",
        *_A,
        *_U,
    ),
    one(
        "an edit is ordered only when all that it names is ours",
        _INSTANCES,
        "    if is_news and (waits := not_yet_ours(world, service, None, host)):",
        "    if is_news and (waits := None):",
        f"{STORIES}/test_claims.py",
    ),
    one(
        "claims record the newest order that may name them",
        _OWNERSHIP,
        "        if found is None or found.uid != service.uid or _is_recorded(found, mine):",
        "        if True:",
        *_S,
        *_U,
    ),
    one(
        "a claim is kept while an order that names it may be on its way",
        _OWNERSHIP,
        "    return instance is not None and owner.instance == instance.uid and owner.epoch > instance.spec.epoch",
        "    return False",
        f"{STORIES}/test_claims.py",
    ),
    one(
        "a service goes only when the API server says that no instance is left",
        _OWNERSHIP,
        '    needs = (NoInstances(service.metadata.namespace or "", service.uid, what_for),)\n    why = f"{service.key} is deleted',
        '    needs = ()\n    why = f"{service.key} is deleted',
        f"{UNIT}/control/test_preconditions.py",
    ),
    one(
        "what is deleted is named by UID and version",
        _APPLY,
        "            uid=meta.uid,\n            resource_version=meta.resource_version,\n",
        "",
        *_A,
    ),
    one(
        "whoever deletes a FenceRequest from its Off on only marks it",
        _APPLY,
        '        if action.want == "Off" and meta.deletion_timestamp is None:',
        "        if False:",
        *_A,
    ),
    one(
        "a FenceRequest whose off was told after it was marked stays",
        _APPLY,
        "    return (marked.spec, marked.status) == (before.spec, before.status)",
        "    return True",
        *_A,
    ),
    one(
        "a Lease is deleted by UID and version",
        _APPLY,
        "Meta(leases.NAMESPACE, obj.host, obj.uid, obj.resource_version)",
        'Meta(leases.NAMESPACE, obj.host, "", "")',
        *_A,
    ),
    one(
        "a patch names the version that it was decided from",
        _APPLY,
        '        metadata = {**body.get("metadata", {}), "resourceVersion": version}',
        '        metadata = {**body.get("metadata", {})}',
        *_A,
    ),
    one(
        "an instance without our finalizer gets no epoch",
        _APPLY,
        "        if action.spec.epoch > before.spec.epoch and INSTANCE_FINALIZER not in (before.metadata.finalizers or ()):",
        "        if False:",
        f"{UNIT}/control/test_preconditions.py",
    ),
    one(
        "an instance's finalizer falls only when its last epoch is closed",
        _INSTANCES,
        "    if instance.spec.grant is None:\n        return Course((DeleteInstance(",
        "    if True:\n        return Course((DeleteInstance(",
        f"{STORIES}/test_faults.py",
        f"{STORIES}/test_text.py",
    ),
    one(
        "the first epoch waits for every live candidate's answer",
        _FIRST,
        "    return _unanswered(world, instance, unanswered) if unanswered else None",
        "    return None",
        f"{STORIES}/test_claims.py",
    ),
    one(
        "the first epoch waits where something of it runs already",
        _FIRST,
        "    if session is None or answer is None or not answer.active:\n        return False",
        "    if True:\n        return False",
        f"{STORIES}/test_faults.py",
        f"{STORIES}/test_text.py",
    ),
    one(
        "the first epoch waits where an earlier life of it is not over",
        _FIRST,
        "    if known := next(filter(None, (_earlier(world, host, instance) for host in hosts)), None):\n        return known\n",
        "",
        f"{STORIES}/test_left_behind.py",
    ),
    one(
        "what may run twice waits for nobody",
        _FIRST,
        "    if not instance.spec.exclusive:\n        return None\n    hosts",
        "    hosts",
        f"{STORIES}/test_left_behind.py",
        f"{STORIES}/test_faults.py",
        f"{STORIES}/test_text.py",
    ),
    one(
        "of two orders of one epoch Down wins",
        _ORDERS,
        '    return entry.epoch, entry.want == "Down", entry.revision',
        "    return entry.epoch, False, entry.revision",
        f"{STORIES}/test_promises.py",
        f"{STORIES}/test_text.py",
    ),
    one(
        "an order of an older epoch never replaces a newer one",
        _ORDERS,
        '    return entry.epoch, entry.want == "Down", entry.revision',
        '    return 0, entry.want == "Down", entry.revision',
        f"{UNIT}/control/test_apply.py",
    ),
    one(
        "absence is no information: an entry goes only when nothing of it is left there",
        _ORDERS,
        "        if uid in wanted.instances or entry.epoch > limits.get(uid, -1):",
        "        if uid in wanted.instances:",
        f"{STORIES}/test_faults.py",
        f"{STORIES}/test_text.py",
        f"{STORIES}/test_left_behind.py",
    ),
    one(
        "what nobody knows any more is ordered down where it runs",
        f"{PLANNER}/do/leftovers.py",
        "    downs |= {uid: order for uid, order in _from_reports(world, assignment) if uid not in current}\n",
        "",
        f"{STORIES}/test_left_behind.py",
    ),
    one(
        "orders and Lease of a removed host stay until nothing is open there",
        f"{PLANNER}/do/removal.py",
        "or held(world, name) or _is_open(world, name):",
        "or held(world, name):",
        f"{STORIES}/test_left_behind.py",
        f"{STORIES}/test_hostile.py",
    ),
    one(
        "no target that can take it, no stop",
        _MOVES,
        "    obstacle = cannot_take(round_.world, service, instance, found.host)\n",
        "    obstacle = None\n",
        f"{STORIES}/test_promises.py",
        f"{STORIES}/test_text.py",
    ),
    one(
        "a wish to move ends",
        _MOVES,
        "    if wish.expires and wish.expires[:_TO_THE_SECOND] < world.wall[:_TO_THE_SECOND]:",
        "    if False:",
        f"{UNIT}/planner/judge/test_placement.py",
        f"{STORIES}/test_promises.py",
        f"{STORIES}/test_text.py",
    ),
    one(
        "nothing is told in HandsOff to do anything",
        _INSTANCES,
        "    if hands_off := untouched(world, grant.host):\n        return",
        '    if hands_off := "":\n        return',
        f"{STORIES}/test_faults.py",
        f"{STORIES}/test_text.py",
    ),
    one(
        "units stay secured while a service names them",
        _ORDERS,
        "    return wanted.secured | (frozenset(one.unit for one in assignment.status.held) & wanted.named)",
        "    return wanted.secured",
        f"{STORIES}/test_left_behind.py",
        f"{STORIES}/test_hostile.py",
    ),
    one(
        "a unit belongs to one service",
        _KINDS,
        '        claims=lambda systemd: (Claim("Unit", canonical_unit(systemd.unit)),),',
        "        claims=lambda systemd: (),",
        f"{UNIT}/planner/judge/test_acceptance.py",
        quick=True,
    ),
    one(
        "an address has one name, whatever its prefix",
        _KINDS,
        "    return str(mapped or address)",
        "    return cidr",
        f"{UNIT}/planner/judge/test_acceptance.py",
    ),
    one(
        "a unit has one name, however it is spelled",
        _KINDS,
        '    return f"{re.sub(_ESCAPE, _plain, stem)}{dot}{suffix}"',
        "    return unit",
        "tests/property/test_resource_kinds.py",
        f"{UNIT}/agent/test_single_instance.py",
    ),
    one(
        "an agent is told all that it is to carry out",
        f"{API}/objects/models/resources.py",
        "for field in RenderedResource.model_fields})",
        "for field in RenderedResource.model_fields if field != 'probes'})",
        "tests/property/test_resource_kinds.py",
    ),
    one(
        "what may run twice has no address",
        f"{PLANNER}/judge/acceptance.py",
        "    for resource in service.spec.resources if not service.exclusive else ():",
        "    for resource in ():",
        f"{STORIES}/test_claims.py",
    ),
    one(
        "a replica that does not lead waits",
        f"{CONTROL}/act/pacing.py",
        "        return max(due_s, standing.since_s + FOLLOWER_WAIT_S)",
        "        return due_s",
        f"{UNIT}/control/test_pacing.py",
    ),
    one(
        "one write at a time to each object",
        f"{CONTROL}/act/pacing.py",
        "            elif ref.id not in self._under_way:",
        "            else:",
        f"{UNIT}/control/test_pacing.py",
    ),
    one(
        "a deleted UID never comes back",
        f"{CONTROL}/watch/cache.py",
        "        if meta.uid in self._deleted:",
        "        if False:",
        f"{UNIT}/control/test_cache.py",
    ),
    one(
        "the picture of each object only goes forward",
        f"{CONTROL}/watch/cache.py",
        "        if known and meta.version <= known.version:",
        "        if False:",
        f"{UNIT}/control/test_cache.py",
    ),
    one(
        "what does not fit on a host is not granted to it",
        _MOVES,
        "    return too_large(world, host, service, instance)",
        "    return None",
        f"{UNIT}/planner/do/test_leftovers.py",
    ),
    one(
        "a copy that was carried over is stopped under the next epoch",
        f"{PLANNER}/do/leftovers.py",
        "        epoch = said.epoch + 1 if instance is None and session.supersedes else said.epoch",
        "        epoch = said.epoch",
        f"{UNIT}/planner/do/test_leftovers.py",
    ),
    one(
        "a claim counts epochs of the instance that it names",
        _OWNERSHIP,
        "    return found.instance == mine.instance and found.epoch >= mine.epoch and found.revision >= mine.revision",
        "    return found.epoch >= mine.epoch and found.revision >= mine.revision",
        f"{UNIT}/planner/do/test_ownership.py",
    ),
    one(
        "a claim is given back only on a later report than it records",
        _OWNERSHIP,
        "any(_may_be_ordered(one, instance) or not _is_before(one, service) for one in mine)",
        "any(_may_be_ordered(one, instance) for one in mine)",
        f"{UNIT}/planner/do/test_ownership.py",
    ),
)
