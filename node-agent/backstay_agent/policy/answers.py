"""What the policy of a host says of its orders, round after round: asked again only where the policy or the order is another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from backstay_api.objects.plain import RenderedResource

from .asking import HostPolicy, InForce

Asked = tuple[str, Sequence[RenderedResource]]
"""A namespace, and what a service of it brings."""


class Order(Protocol):
    """Of which the policy is asked."""

    @property
    def namespace(self) -> str: ...
    @property
    def resources(self) -> Sequence[RenderedResource]: ...


class Answers:
    """Of the orders of the last round, by UID, and of no others."""

    def __init__(self, policy: HostPolicy) -> None:
        self._policy = policy
        self._said_by: InForce | None = None
        self._known: dict[str, tuple[Asked, str]] = {}

    def refusals(self, orders: Mapping[str, Order]) -> dict[str, str]:
        """Why it does not allow them, sentences by UID; what it allows is not among them."""
        policy = self._policy.in_force
        before = self._known if policy is self._said_by else {}
        self._said_by, self._known = policy, {}
        for uid, order in orders.items():
            asked = (order.namespace, order.resources)
            known = before.get(uid)
            self._known[uid] = known if known and known[0] == asked else (asked, policy.refusal(*asked))
        return {uid: why for uid, (_, why) in self._known.items() if why}
