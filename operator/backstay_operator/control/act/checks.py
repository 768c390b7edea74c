"""What is never sent, whatever the planner says: the rules of a grant, of orders and of sizes, once more where it is written."""

from __future__ import annotations

from backstay_api.objects.models.assignment import HostAssignmentSpec
from backstay_api.objects.models.instance import HAInstanceSpec
from backstay_operator.planner.know import fitting
from backstay_operator.planner.know.fitting import MOST_BYTES


class WriteRefused(Exception):
    """We do not even send it; the message says why to a person."""


def check_step(before: HAInstanceSpec, after: HAInstanceSpec) -> None:
    """The rules of a grant, once more where it is sent: the API server holds them too, and so does the planner."""
    for rule in HAInstanceSpec.rules:
        kept = rule.check(before, after) if rule.is_transition else rule.check(after)
        assert kept, f"{rule.message}: {before} -> {after}"


def check_forward(stored: HostAssignmentSpec, wanted: HostAssignmentSpec) -> None:
    for uid, order in wanted.instances.items():
        old = stored.instances.get(uid)
        assert old is None or order.epoch >= old.epoch, f"{order.name}: epoch {old.epoch} after {order.epoch}"


def check_size(host: str, spec: HostAssignmentSpec) -> None:
    size = fitting.size(spec)
    if size > MOST_BYTES:
        raise WriteRefused(
            f"the orders for {host} would be {size // 1024} KiB, more than {MOST_BYTES // 1024} KiB: "
            "spread its services over more hosts, or keep fewer standbys"
        )
