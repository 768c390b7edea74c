"""Which orders are taken, and what may be started: PROTOCOL 6, as functions of what is journalled. A refusal carries its sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backstay_api.objects.plain import InstanceOrder
from backstay_api.objects.resource_kinds import Claim, claims_of

from .checkpoint import Checkpoint, Record


@dataclass(frozen=True, slots=True)
class Ignored:
    """An order that changes nothing here, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class NotToStart:
    """It may not be started now. The text is a sentence for people."""

    why: str


def take(uid: str, order: InstanceOrder, checkpoint: Checkpoint) -> Record | Ignored:
    """What an order makes of what is journalled. Entries only move forward: by epoch, then Up before Down, then revision."""
    record = checkpoint.records.get(uid)
    if record is not None and _ends_what_was_carried(order, record, checkpoint):
        # The report is about the order's epoch then: that is the one of which the operator has to learn that it is over.
        return replace(record, epoch=order.epoch, nonce=order.session.nonce, want="Down")
    if checkpoint.seq == 0 or order.session != checkpoint.session:
        return Ignored("it is an order to another session")
    if record is None:
        return _granted(uid, order, checkpoint)
    if order.epoch > record.epoch:
        return _granted_again(record, order, checkpoint)
    if order.epoch < record.epoch or record.nonce != checkpoint.nonce:
        return Ignored(f"epoch {order.epoch} is older than {record.epoch}, which is known here")
    if record.closed:
        return Ignored(f"epoch {order.epoch} is over on this host")
    return _moved_on(record, order)


def take_aside(uid: str, order: InstanceOrder, checkpoint: Checkpoint) -> Record | Ignored:
    """What an order to run, of which this host takes nothing else, makes of what goes on under it: whose hands are on it, what is forgotten."""
    record = checkpoint.records.get(uid)
    if record is None or record.closed or record.epoch != order.epoch or order.session != checkpoint.session:
        return Ignored("nothing goes on under it")
    if record.nonce != checkpoint.nonce or "Down" in (record.want, order.want) or order.revision < record.revision:
        return Ignored("what is known here is newer")
    return replace(record.forgiven(order.cleared), hands_off=order.hands_off)


def _ends_what_was_carried(order: InstanceOrder, record: Record, checkpoint: Checkpoint) -> bool:
    """Down for a copy of a session before: to any session of this boot, for the order to its own may have been lost, or replaced by one
    of a later epoch that was granted to that session and never came here."""
    is_of_this_boot = order.session.boot_id == checkpoint.boot_id and order.session.nonce in checkpoint.nonces
    is_news = order.epoch > record.epoch or (order.epoch == record.epoch and record.want == "Up")
    return record.nonce != checkpoint.nonce and order.want == "Down" and is_of_this_boot and is_news


def _granted(uid: str, order: InstanceOrder, checkpoint: Checkpoint) -> Record:
    record = Record(
        uid=uid,
        namespace=order.namespace,
        name=order.name,
        service=order.service,
        role=order.role or "",
        epoch=order.epoch,
        nonce=checkpoint.nonce,
        want=order.want,
        exclusive=order.exclusive,
        revision=order.revision,
        wanted=order.resources,
        recovery=order.recovery,
        cleared=order.cleared,
        hands_off=order.hands_off,
        expects=bool(order.expects),
    )
    return record.over() if order.want == "Down" else record  # never started: over as soon as it is recorded


def _granted_again(record: Record, order: InstanceOrder, checkpoint: Checkpoint) -> Record:
    """A newer epoch. What still runs of an older one is this host's copy, and goes on under the new one."""
    fresh = _granted(record.uid, order, checkpoint)
    if not record.may_run:
        return fresh
    return replace(
        fresh,
        closed=False,
        wanted=order.resources,
        resources=record.resources,
        running_revision=record.running_revision,
        may_run=True,
    )


def _moved_on(record: Record, order: InstanceOrder) -> Record | Ignored:
    if record.want == "Down":
        return Ignored("it was told to stop, and that is not taken back within an epoch")
    if order.want == "Down":
        down = replace(record, want="Down")
        return down if down.may_run else down.over()
    forgiven = record.forgiven(order.cleared)
    if (order.role or "") != forgiven.role:
        forgiven = replace(forgiven, role=order.role or "")  # an agent of the release before did not know roles
    if order.revision > record.revision:
        known = replace(forgiven, revision=order.revision, hands_off=order.hands_off)
        return replace(known, wanted=order.resources, recovery=order.recovery)
    return Ignored(f"revision {order.revision} is known") if forgiven is record else forgiven


def may_start(record: Record, checkpoint: Checkpoint, *, obstacle: str = "", leaving: str = "") -> NotToStart | None:
    """Whether this instance may be started, or restarted in place, now (PROTOCOL 6).

    `obstacle`: why this host may run nothing exclusive; `leaving`: how this machine is going down. The lease need not be
    valid: its contract carries no watchdog numbers.
    """
    if checkpoint.seq == 0:
        return NotToStart("this host's session is not published yet")
    if record.nonce != checkpoint.nonce:
        return NotToStart("it was granted to an earlier session of this host, and waits for its next grant")
    if record.closed:
        return NotToStart(f"epoch {record.epoch} is over on this host")
    if checkpoint.seal_seen:
        return NotToStart(f"this session may start nothing any more: {checkpoint.seal_seen}")
    if record.want != "Up":
        return NotToStart("it was told to stop")
    if leaving:
        return NotToStart(f"this machine is going down ({leaving})")
    if record.exclusive and obstacle:
        return NotToStart(f"nothing exclusive may run on this host: {obstacle}")
    return _taken_by_another(record, checkpoint)


def _taken_by_another(record: Record, checkpoint: Checkpoint) -> NotToStart | None:
    """Two open instances that name the same unit or address: the one that runs, or was granted first, has it."""
    mine = claims(record)
    before = True
    for other in checkpoint.records.values():
        if other.uid == record.uid:
            before = False
        elif other.may_run or (before and not other.closed):
            for claim in sorted(mine & claims(other)):
                return NotToStart(f"{claim.text} belongs to {other.title}, which has not ended on this host")
    return None


def beneath(record: Record, checkpoint: Checkpoint) -> Record | None:
    """The copy on this host that a promoted one stands on; none: it has nothing to stand on."""
    here = (one for one in checkpoint.records.values() if one.may_run and not one.role)
    return next((one for one in here if _is_of_one_service(one, record)), None)


def above(record: Record, checkpoint: Checkpoint) -> Record | None:
    """What stands on this copy and may run, so that it is stopped first."""
    promoted = (one for one in checkpoint.records.values() if one.may_run and one.role and not record.role)
    return next((one for one in promoted if _is_of_one_service(one, record)), None)


def _is_of_one_service(one: Record, other: Record) -> bool:
    return (one.namespace, one.service) == (other.namespace, other.service)


def claims(record: Record) -> frozenset[Claim]:
    """What only one open instance on a host may have."""
    return frozenset(claims_of((*record.resources, *record.wanted)))


def hands_off(record: Record, checkpoint: Checkpoint) -> str:
    """Why nothing of it is touched, but for what must stop: its host's maintenance, or its own manifest."""
    return checkpoint.hands_off or record.hands_off


def must_stop(record: Record, checkpoint: Checkpoint, *, leaving: str = "") -> bool:
    """Whether it has to be brought down, and its epoch closed.

    Hands off: a mere wish waits, and so does a shutdown, which takes everything along anyway; a seal does not.
    """
    if record.closed:
        return False
    if checkpoint.seal_seen and record.exclusive:
        return True
    if checkpoint.hands_off and record.may_run:
        return False
    return record.want == "Down" or (bool(leaving) and not checkpoint.hands_off)
