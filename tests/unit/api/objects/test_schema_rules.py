"""The rules that the API server holds on the objects of the protocol: which step breaks which, rule by rule.

That they mean the same in CEL is the contract tests' business; here stands what they forbid, so that a rule that is dropped or
weakened in both languages at once is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from backstay_api.objects.models.assignment import HostAssignmentStatus
from backstay_api.objects.models.base import Model, Rule
from backstay_api.objects.models.claim import ClaimOwner, ResourceClaimSpec
from backstay_api.objects.models.fencing import FenceRequestSpec, FenceRequestStatus
from backstay_api.objects.models.instance import Closed, Grant, HAInstanceSpec, ServiceRef
from backstay_api.objects.resource_kinds import ClaimType
from backstay_testing.instances import GRANT_1, GRANT_2, OWNER

MODELS: Sequence[type[Model]] = (
    HAInstanceSpec,
    HostAssignmentStatus,
    FenceRequestSpec,
    FenceRequestStatus,
    ClaimOwner,
    ResourceClaimSpec,
)
STEP = "epoch grows by one at a time"
EVIDENCE = "a new epoch needs the evidence that closed the one before"
SANE = "an epoch is granted or closed; from the second on a grant carries the evidence that closed the one before"
KEPT = "a grant never changes within its epoch; it only ends, with evidence"
SEQ = "session.seq only grows"
OTHER = "another session needs a higher seq"
MACHINE = "machineUUID never changes: remove the Host and add it again for another machine"
OWNED = "what belongs to one service belongs to nobody before it belongs to another, and what is recorded only grows"


def instance(
    epoch: int, grant: Any = None, closed: int | None = None, evidence: str = "Released", *, exclusive: bool = True
) -> HAInstanceSpec:
    """Not validated: the rules are asked one by one."""
    return HAInstanceSpec.model_construct(
        service=ServiceRef(name="web", uid="u1"),
        exclusive=exclusive,
        epoch=epoch,
        grant=grant and Grant.model_validate(grant),
        closed=None if closed is None else Closed.model_validate({"epoch": closed, "evidence": evidence}),
        conditional=None,
    )


def said(seq: int | None, nonce: str = "x", machine: str = "m1") -> HostAssignmentStatus:
    session = {"bootID": "b", "nonce": nonce, "seq": seq, "machineUUID": machine}
    return HostAssignmentStatus.model_validate({"session": session} if seq is not None else {})


def request(nonce: str = "x", by: str = "") -> FenceRequestSpec:
    confirm = {"confirm": {"by": by, "at": "2026-01-01T00:00:00Z"}} if by else {}
    session = {"bootID": "b", "nonce": nonce, "seq": 1}
    return FenceRequestSpec.model_validate({"host": "n1", "session": session, "want": "Off", **confirm})


def proven(level: str = "") -> FenceRequestStatus:
    return FenceRequestStatus.model_validate({"evidence": {"level": level, "why": "off twice"}} if level else {})


def owner(**changes: Any) -> ClaimOwner:
    return ClaimOwner.model_validate({**OWNER, **changes})


def claim(type_: ClaimType, key: str, **owners: Any) -> ResourceClaimSpec:
    return ResourceClaimSpec.model_construct(type=type_, key=key, owner=owners.get("owner"), hosts=owners.get("hosts"))


STEPS = [
    pytest.param(instance(0), instance(1, GRANT_1), set(), id="the first grant"),
    pytest.param(instance(1, GRANT_1), instance(2, GRANT_2, 1), set(), id="the next one, with evidence"),
    pytest.param(instance(1, GRANT_1), instance(1, None, 1), set(), id="an end, with evidence"),
    pytest.param(instance(0), instance(2, GRANT_1, 1), {STEP}, id="two epochs at once"),
    pytest.param(instance(2, GRANT_1, 1), instance(1, GRANT_1), {STEP, EVIDENCE, "evidence is never taken back"}),
    pytest.param(instance(1, GRANT_1), instance(2, GRANT_2), {EVIDENCE, SANE}, id="the next one without evidence"),
    pytest.param(instance(0), instance(1, None, 1), {"a new epoch is a grant"}, id="an epoch that nobody holds"),
    pytest.param(instance(1, GRANT_1), instance(1, GRANT_2), {KEPT}, id="another holder within the epoch"),
    pytest.param(instance(1, GRANT_1), instance(1), {KEPT, SANE}, id="an end without evidence"),
    pytest.param(
        instance(2, GRANT_1, 1), instance(2, GRANT_1, 1, "Boot"), {"evidence is never taken back"}, id="other evidence"
    ),
    pytest.param(
        instance(2, GRANT_1, 1),
        instance(2, GRANT_1, 2),
        {"evidence closes the epoch before a grant, or the last one where there is no grant"},
        id="granted and closed at once",
    ),
    pytest.param(
        instance(1, GRANT_1),
        instance(1, None, 1, "NotExclusive"),
        {"an exclusive instance needs real evidence"},
        id="nothing proven of what is exclusive",
    ),
    pytest.param(
        instance(1, GRANT_1),
        instance(1, GRANT_1, exclusive=False),
        {"service and exclusive never change"},
        id="not exclusive any more",
    ),
    pytest.param(said(None), said(1), set(), id="a first session"),
    pytest.param(said(1), said(2, "y"), set(), id="the next session"),
    pytest.param(said(2), said(1), {SEQ}, id="an older seq"),
    pytest.param(said(2), said(2, "y"), {OTHER}, id="another session of the same seq"),
    pytest.param(said(2), said(3, "y", "m2"), {MACHINE}, id="another machine under this name"),
    pytest.param(said(2), said(None), {SEQ, OTHER, MACHINE}, id="a session that is taken away"),
    pytest.param(request(), request("y"), {"a request is for one session for ever"}, id="another session"),
    pytest.param(request(), request(by="eve"), set(), id="a confirmation"),
    pytest.param(request(by="eve"), request(), {"a confirmation is never taken back"}, id="a confirmation taken back"),
    pytest.param(proven("bmc"), proven(), {"evidence is never taken back"}, id="a proof taken back"),
    pytest.param(owner(), owner(uid="u2"), {OWNED}, id="a claim that changes hands"),
    pytest.param(owner(), owner(revision=1), {OWNED}, id="an older revision recorded"),
    pytest.param(owner(), owner(epoch=0), {OWNED}, id="an older epoch recorded"),
    pytest.param(owner(), owner(epoch=0, instance="i2"), set(), id="epochs begin anew with another instance"),
    pytest.param(
        claim("Unit", "web.service", hosts=[]),
        claim("Unit", "web.service", owner=owner()),
        {"claims of type Unit, Command, Ocf, Path belong to somebody host by host, all others have one owner"},
        id="a unit that belongs to one service everywhere",
    ),
    pytest.param(
        claim("Address", "192.0.2.10", owner=owner()),
        claim("Address", "192.0.2.11", owner=owner()),
        {"what is claimed never changes"},
        id="another thing under the claim",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "broken"), STEPS)
def test_each_step_breaks_these_rules_and_no_others(old: Model, new: Model, broken: set[str]) -> None:
    assert {rule.message for rule in type(new).rules if not kept(rule, old, new)} == broken


def kept(rule: Rule, old: Model, new: Model) -> bool:
    return rule.check(old, new) if rule.is_transition else rule.check(new)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_rule_has_a_step_that_breaks_it(model: type[Model]) -> None:
    tried = [step.values for step in STEPS]
    broken = {one for old, _, rules in tried if type(old) is model and isinstance(rules, set) for one in rules}
    assert {rule.message for rule in model.rules} == broken
