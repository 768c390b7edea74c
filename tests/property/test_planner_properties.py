"""Whatever the world looks like, these things never happen. The rules are written down here a second time, as dumbly as possible."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from backstay_api.objects.models import FenceRequest, HAInstance
from backstay_api.objects.models.assignment import InstanceOrder, InstanceReport
from backstay_api.objects.models.base import Model
from backstay_api.objects.models.claim import ClaimOwner
from backstay_api.objects.object_kinds import HA_INSTANCES
from backstay_api.objects.resource_kinds import Claim, claims_of
from backstay_operator.planner import actions as act
from backstay_operator.planner.do.orders import merge_forward
from backstay_operator.planner.know.world import OwnPath, World
from backstay_operator.planner.plan import plan
from backstay_operator.planner.preconditions import Gone, HoldsNothing, Owned, Still
from backstay_testing.random_worlds import NOW_S, Wires, build, own_paths, wires
from backstay_testing.truthful import every_sentence_agrees

MANY = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

Actions = tuple[act.Action, ...]


def holds_rules(old: Model, new: Model) -> None:
    for rule in type(new).rules:
        assert rule.check(old, new) if rule.is_transition else rule.check(new), rule.message


def is_over(world: World, instance: HAInstance) -> bool:
    """Evidence, once more, in one breath (PROTOCOL 5)."""
    grant = instance.spec.grant
    assert grant is not None
    lease = world.leases[grant.host].lease if grant.host in world.leases else None
    cannot_renew = lease is not None and (lease.sealed or lease.holder != grant.session.text)
    mine = [r for r in world.requests.values() if (r.spec.host, r.spec.session) == (grant.host, grant.session)]
    return (
        _is_over_by_its_hosts_word(world, instance)
        or any(request.status.evidence is not None for request in mine)
        or (cannot_renew and any(request.spec.confirm is not None for request in mine))
        or (not instance.spec.exclusive and not renews(world, grant.host, grant.session.text))
    )


def _is_over_by_its_hosts_word(world: World, instance: HAInstance) -> bool:
    grant = instance.spec.grant
    said = world.assignments[grant.host].status if grant is not None and grant.host in world.assignments else None
    if grant is None or said is None or said.session is None or said.session.machine_uuid != grant.machine_uuid:
        return False
    now, then, report = said.session, grant.session, said.instances.get(instance.uid)
    if (now.boot_id, now.nonce, now.seq) == (then.boot_id, then.nonce, then.seq):
        return report is not None and report.epoch == instance.spec.epoch and bool(report.released)
    if now.boot_id == then.boot_id and then.nonce not in now.supersedes:
        return False
    return now.seq > then.seq


def renews(world: World, host: str, session_text: str) -> bool:
    """Whether this session may well be alive: not silent, as far as this replica may say."""
    seen = world.leases.get(host)
    if seen is None:
        return host in world.hosts
    if seen.lease.holder != session_text or seen.lease.sealed:
        return False
    return not trusts_itself(world) or world.now_s - max(seen.first_seen_s, world.own_path.recovered_s) <= 1.5


def trusts_itself(world: World) -> bool:
    own = world.own_path
    waited = NOW_S - own.recovered_s >= 10 or not own.lived_before
    return own.healthy and (waited or len(own.renewed_since & own.lived_before) * 2 > len(own.lived_before))


def no_epoch_is_granted_or_closed_without_evidence(world: World, made: Actions) -> None:
    writes = [action for action in made if isinstance(action, act.WriteInstance)]
    for write in writes:
        before, after = write.before.spec, write.spec
        holds_rules(before, after)
        assert after.epoch in (before.epoch, before.epoch + 1)
        if before.grant is not None:
            assert is_over(world, write.before), write.why
        elif before.epoch > 0:
            assert before.closed is not None
            assert before.closed.epoch == before.epoch
    assert len({write.before.key for write in writes}) == len(writes), "one write for one instance"


def a_grant_goes_only_to_a_session_that_holds_its_lease_unsealed_and_renews_it(world: World, made: Actions) -> None:
    for action in made:
        if not isinstance(action, act.WriteInstance) or action.spec.grant is None:
            continue
        grant, service = action.spec.grant, world.services[f"shop/{action.spec.service.name}"]
        seen, said = world.leases[grant.host], world.assignments[grant.host].status.session
        assert (seen.lease.holder, seen.lease.sealed) == (grant.session.text, False)
        assert NOW_S - max(seen.first_seen_s, world.own_path.recovered_s) <= 0.75
        assert said is not None
        assert (said.ref, said.machine_uuid) == (grant.session, grant.machine_uuid)
        assert "backstay.dev/host" in (world.hosts[grant.host].metadata.finalizers or [])
        assert world.hosts[grant.host].metadata.deletion_timestamp is None
        assert "backstay.dev/service" in (service.metadata.finalizers or [])
        assert service.uid == action.spec.service.uid
        assert service.metadata.deletion_timestamp is None
        assert service.spec.state == "Running"


def nobody_is_sealed_or_cut_off_who_should_not_be(world: World, made: Actions) -> None:
    alive = {one.before.host for one in made if isinstance(one, act.SealLease) and one.alive}
    for host in alive:
        is_first_of_all_that_are_lost(world, host)
        assert says_that_it_cannot_stop_what_asks_for_a_fence(world, host)
    for host, session_text, is_off in [*_sealed(made), *_cut_off(made)]:
        lease = world.leases[host].lease
        assert lease.sealed == is_off, "no Off for an unsealed session"
        assert is_off or trusts_itself(world), "nobody is sealed while our own path is not healthy"
        assert is_off or (host in alive) == renews_lately(world, host)
        assert may_be_proven_off(world, host, session_text)
        if is_off or holds_exclusively(world, host, session_text):
            assert holds_exclusively(world, host, session_text) and lease.holder == session_text
        else:
            assert is_waited_for(world, host) and is_said_to_be_off(world, host, session_text), (
                "it holds nothing, nobody said so"
            )


def is_first_of_all_that_are_lost(world: World, host: str) -> None:
    late = [name for name in world.leases if name != host and name in world.hosts and not renews_lately(world, name)]
    just = [
        name for name in late if NOW_S - world.leases[name].first_seen_s < 60 and not world.leases[name].lease.sealed
    ]
    assert not just, "one that is late comes before one that lives"


def says_that_it_cannot_stop_what_asks_for_a_fence(world: World, host: str) -> bool:
    lease, said = world.leases[host].lease, world.assignments[host].status
    assert said.session is not None and said.session.text == lease.holder
    stuck = {uid: report for uid, report in said.instances.items() if report.unstoppable and not report.released}
    held = [world.instances[key] for key in world.held_by[host]]
    found = [one for one in held if one.uid in stuck and stuck[one.uid].epoch == one.spec.epoch and one.spec.exclusive]
    manifests = [world.services.get(one.service_key) for one in found]
    return any(
        one is not None and one.spec.recovery is not None and one.spec.recovery.on_stop_failure == "Fence"
        for one in manifests
    )


def holds_exclusively(world: World, host: str, session_text: str) -> bool:
    held = [world.instances[key].spec for key in world.held_by[host]]
    return any(spec.exclusive and spec.grant and spec.grant.session.text == session_text for spec in held)


def is_waited_for(world: World, host: str) -> bool:
    """It was told, or said, that it runs something that stands against a grant or an order of something else."""
    assignment = world.assignments[host]
    names = {(one.namespace, one.name) for one in assignment.spec.instances.values()}
    names |= {(one.namespace, one.name) for one in assignment.status.instances.values()}
    return any(
        (one.spec.epoch == 0 and (one.metadata.namespace, one.metadata.name) in names)
        or (one.holder != host and one.uid in assignment.status.standbys and assignment.status.standbys[one.uid].active)
        for one in world.instances.values()
        if one.spec.exclusive
    ) or any(
        one.spec.grant is None and any(seen.epoch > one.spec.epoch for seen in _said(world, host, one))
        for one in world.instances.values()
    )


def _said(world: World, host: str, instance: HAInstance) -> list[InstanceReport]:
    return [said for uid, said in world.assignments[host].status.instances.items() if uid == instance.uid]


def requests_for(world: World, host: str, session_text: str) -> list[FenceRequest]:
    return [r for r in world.requests.values() if (r.spec.host, r.spec.session.text) == (host, session_text)]


def is_said_to_be_off(world: World, host: str, session_text: str) -> bool:
    return any(r.spec.confirm or r.status.power == "Off" for r in requests_for(world, host, session_text))


def may_be_proven_off(world: World, host: str, session_text: str) -> bool:
    """There is a way to prove it; and in HandsOff nobody but a person says so."""
    if any(r.spec.confirm for r in requests_for(world, host, session_text)):
        return True
    spec = world.hosts[host].spec if host in world.hosts else None
    is_hands_off = spec is not None and spec.maintenance is not None and spec.maintenance.mode == "HandsOff"
    has_device = spec is not None and bool(spec.fencing.levels)
    return not is_hands_off and (has_device or is_said_to_be_off(world, host, session_text))


def renews_lately(world: World, host: str) -> bool:
    return NOW_S - max(world.leases[host].first_seen_s, world.own_path.recovered_s) <= 0.75


def _sealed(made: Actions) -> list[tuple[str, str, bool]]:
    seals = [one for one in made if isinstance(one, act.SealLease)]
    return [(one.before.host, one.session.text if one.session else one.before.holder, False) for one in seals]


def _cut_off(made: Actions) -> list[tuple[str, str, bool]]:
    new = [
        (a.spec.host, a.spec.session.text, True)
        for a in made
        if isinstance(a, act.RequestFence) and a.spec.want == "Off"
    ]
    return new + [
        (a.before.spec.host, a.before.spec.session.text, True)
        for a in made
        if isinstance(a, act.UpdateFence) and a.want == "Off"
    ]


def orders_only_move_forward_and_down_never_turns_up(world: World, made: Actions) -> None:
    for action in made:
        if not isinstance(action, act.Assign) or action.host not in world.assignments:
            continue
        stored = world.assignments[action.host].spec
        merged = merge_forward(stored, action.spec, action.over)
        for uid, entry in stored.instances.items():
            later = merged.instances.get(uid)
            instance = next((i for i in world.instances.values() if i.uid == uid), None)
            if later is None:
                assert instance is None or _is_closed(instance, entry.epoch), "an order of an open epoch never goes"
            else:
                assert (later.epoch, later.want == "Down") >= (entry.epoch, entry.want == "Down")
        assert merge_forward(merged, action.spec, action.over) == merged, "merging twice is merging once"


def _is_closed(instance: HAInstance, epoch: int) -> bool:
    return instance.spec.epoch > epoch or (instance.spec.epoch == epoch and instance.spec.grant is None)


def an_order_to_run_names_an_open_grant(world: World, made: Actions) -> None:
    for action in (one for one in made if isinstance(one, act.Assign)):
        for uid, order in action.spec.instances.items():
            instance = world.instances.get(HA_INSTANCES.key(order.namespace, order.name))
            if order.want == "Up":
                assert instance is not None
                grant = instance.spec.grant
                assert grant is not None
                assert (instance.uid, grant.host) == (uid, action.host)
                assert (order.epoch, order.session) == (instance.spec.epoch, grant.session)


def a_lease_opens_again_only_for_a_newer_session(world: World, made: Actions) -> None:
    for action in made:
        if isinstance(action, act.ReopenLease):
            said = world.assignments[action.before.host].status.session
            assert said is not None
            assert action.session == said.ref
            assert action.before.sealed
            assert action.session.seq > action.before.seq


def owner(world: World, key: Claim, host: str) -> ClaimOwner | None:
    """Who has it there, once more in one breath."""
    claim = world.claims.get(key.name)
    if claim is None:
        return None
    return claim.spec.owner or next((one for one in claim.spec.hosts or () if one.host == host), None)


def nothing_is_granted_or_ordered_that_is_another_services(world: World, made: Actions) -> None:
    for action in made:
        if isinstance(action, act.WriteInstance) and action.spec.epoch > action.before.spec.epoch:
            service, grant = world.services[f"shop/{action.spec.service.name}"], action.spec.grant
            assert grant is not None
            asked = {(need.name, need.uid, need.host) for need in action.needs if isinstance(need, Owned)}
            for key in claims_of(service.spec.resources):
                found = owner(world, key, grant.host)
                assert found is not None
                assert found.uid == service.uid
                assert (key.name, service.uid, grant.host if key.is_on_hosts else "") in asked
            still = {(need.kind, need.uid, need.finalizer) for need in action.needs if isinstance(need, Still)}
            assert ("HAService", service.uid, "backstay.dev/service") in still
            assert ("Host", world.hosts[grant.host].uid, "backstay.dev/host") in still
            assert "backstay.dev/instance" in (action.before.metadata.finalizers or [])
    for assign in (one for one in made if isinstance(one, act.Assign)):
        for uid, order in assign.spec.instances.items():
            if order.want == "Up" and is_news(world, assign.host, uid, order):
                is_recorded_before_it_is_ordered(world, assign.host, uid, order)


def is_news(world: World, host: str, uid: str, order: InstanceOrder) -> bool:
    stored = world.assignments[host].spec.instances.get(uid) if host in world.assignments else None
    return stored is None or (stored.epoch, stored.revision) != (order.epoch, order.revision)


def is_recorded_before_it_is_ordered(world: World, host: str, uid: str, order: InstanceOrder) -> None:
    service = world.services[f"{order.namespace}/{order.service}"]
    for key in claims_of(order.resources):
        found = owner(world, key, host)
        assert found is not None, f"{key.text} is nobody's on {host}"
        assert (found.uid, found.instance) == (service.uid, uid)
        assert found.epoch >= order.epoch
        assert found.revision >= order.revision


def a_claim_changes_hands_only_by_way_of_nobody(world: World, made: Actions) -> None:
    for action in made:
        if isinstance(action, act.WriteClaim):
            holds_rules(action.before.spec, action.spec)
            before = {one.host: one for one in action.before.spec.hosts or ()}
            for one in action.spec.hosts or ():
                if one.host in before:
                    holds_rules(before[one.host], one)
            if action.spec.owner is not None:
                assert action.before.spec.owner is not None
                holds_rules(action.before.spec.owner, action.spec.owner)


def nothing_is_given_back_that_a_granted_service_wants(world: World, made: Actions) -> None:
    for action in made:
        if not isinstance(action, act.WriteClaim | act.DeleteClaim):
            continue
        before, after = action.before.spec, action.spec if isinstance(action, act.WriteClaim) else None
        left = {(one.uid, one.host) for one in (after.hosts or ())} if after is not None else set()
        gone = [(one.uid, one.host) for one in before.hosts or () if (one.uid, one.host) not in left]
        gone += [(before.owner.uid, "")] if before.owner is not None and (after is None or after.owner is None) else []
        assert not gone or action.needs, "whatever is given back, the API server is asked first"
        for uid, host in gone:
            for key in world.instances_of[uid]:
                grant = world.instances[key].spec.grant
                assert grant is None or grant.host != host, "it is granted there"


def nothing_is_taken_for_gone_that_was_merely_not_seen(world: World, made: Actions) -> None:
    for action in made:
        if isinstance(action, act.SetFinalizer) and not action.present:
            assert action.needs
        if isinstance(action, act.DeleteAssignment | act.DeleteLease):
            assert any(isinstance(need, HoldsNothing) for need in action.needs)
    for assign in (one for one in made if isinstance(one, act.Assign)):
        for uid, order in assign.spec.instances.items():
            known = any(instance.uid == uid for instance in world.instances.values())
            stored = (
                world.assignments[assign.host].spec.instances.get(uid) if assign.host in world.assignments else None
            )
            if not known and order.want == "Down" and (stored is None or stored.want == "Up"):
                assert any(isinstance(need, Gone) and need.uid == uid for need in assign.needs)


def nothing_is_deleted_before_it_is_over(world: World, made: Actions) -> None:
    for action in made:
        if isinstance(action, act.DeleteInstance):
            assert action.before.spec.grant is None
        if isinstance(action, act.SetFinalizer) and not action.present:
            assert action.before.metadata.deletion_timestamp is not None
            assert not world.instances_of[action.before.uid]
            assert not world.held_by.get(action.before.key)
        if isinstance(action, act.DeleteFence):
            over = action.before.spec
            held = [world.instances[key].spec.grant for key in world.held_by[over.host]]
            is_needed = any(grant is not None and grant.session == over.session for grant in held)
            # A false alarm that rings again begins afresh, and so does what a person said wrongly; a proof is never lost.
            is_false = over.want == "Withdrawn" or over.confirm is not None
            assert not is_needed or (is_false and action.before.status.evidence is None)


RULES = (
    no_epoch_is_granted_or_closed_without_evidence,
    a_grant_goes_only_to_a_session_that_holds_its_lease_unsealed_and_renews_it,
    nobody_is_sealed_or_cut_off_who_should_not_be,
    orders_only_move_forward_and_down_never_turns_up,
    an_order_to_run_names_an_open_grant,
    a_lease_opens_again_only_for_a_newer_session,
    nothing_is_deleted_before_it_is_over,
    nothing_is_granted_or_ordered_that_is_another_services,
    a_claim_changes_hands_only_by_way_of_nobody,
    nothing_is_given_back_that_a_granted_service_wants,
    nothing_is_taken_for_gone_that_was_merely_not_seen,
    every_sentence_agrees,
)


@MANY
@given(wires(), own_paths)
def test_whatever_the_world_looks_like_every_plan_keeps_every_rule(random_world: Wires, own_path: OwnPath) -> None:
    world = build(random_world, own_path)
    made = plan(world).actions
    for rule in RULES:
        rule(world, made)
