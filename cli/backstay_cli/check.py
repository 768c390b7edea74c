"""`backstay check`: is everything there that is needed, after an installation or an upgrade? `backstay status` tells of services and hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from backstay_api import VERSION
from backstay_api.client.errors import Forbidden, NotFound
from backstay_api.objects.kinds import Kind, Raw, raw, unread
from backstay_api.objects.names import SYSTEM_NAMESPACE
from backstay_api.objects.object_kinds import HOSTS, OWN_KINDS, SERVICE_CLASSES

from .maintenance import LOOK_EVERY_S, seconds_of
from .names import WaitLimit
from .operators import operator_trouble
from .session import NOT_WELL, WELL, Session
from .tables import table

_DEPLOYMENTS: Final = raw("apps", "v1", "deployments", "Deployment", True)
_POLICIES, _BINDINGS = (
    raw("admissionregistration.k8s.io", "v1", plural, kind, False)
    for plural, kind in (
        ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
        ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
    )
)
POLICIES: Final = (
    "backstay-accept",
    "backstay-agents",
    "backstay-enrolment",
    "backstay-fence-devices",
    "backstay-fence-requests",
    "backstay-identities",
    "backstay-instances",
    "backstay-ours",
    "backstay-service-classes",
    "backstay-service-classes-scale",
    "backstay-surveys",
    "backstay-tokens",
)
"""What the chart installs, unless `admissionPolicies.enabled` is false."""
_PART: Final = "app.kubernetes.io/part-of"
_COMPONENT: Final = "app.kubernetes.io/component"


@dataclass(frozen=True)
class Found:
    """What was looked at, and what is wrong with it."""

    what: str
    is_well: bool | None
    """None: this user may not see it."""
    says: str

    @property
    def status(self) -> str:
        return {True: "OK", False: "Missing", None: "Unknown"}[self.is_well]


async def check(
    session: Session,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is there.")] = False,
    timeout: WaitLimit = "5m",
) -> int:
    """Say whether everything is there: definitions, operator, fencer, policies, versions. Exit code 5 where something is missing."""
    limit_s = seconds_of(timeout)
    found = [one async for one in _look(session)]
    try:
        async with asyncio.timeout(limit_s):
            said = ""
            while wait and (missing := [one for one in found if one.is_well is False]):
                if (now := "; ".join(f"{one.what}: {one.says}" for one in missing)) != said:
                    session.say(f"Waiting for {now}")
                said = now
                await asyncio.sleep(LOOK_EVERY_S)
                found = [one async for one in _look(session)]
    except TimeoutError:
        session.say(f"After {limit_s:g} s something is missing still.")
    data = [{"what": one.what, "status": one.status, "message": one.says} for one in found]
    rows = [(one.what, one.status, one.says) for one in found]
    session.show(data, lambda: table(session.out, ("WHAT", "STATUS", "SAYS"), rows))
    return WELL if all(one.is_well is not False for one in found) else NOT_WELL


async def _look(session: Session) -> AsyncIterator[Found]:
    yield await _definitions(session)
    silence = await operator_trouble(session)
    yield Found("operator", None if silence is None else not silence, silence or _may(silence, "it renews its Lease"))
    deployments = await _listed(session, _DEPLOYMENTS, SYSTEM_NAMESPACE)
    for part in ("operator", "fencer"):
        yield _deployment(part, deployments)
    yield await _policies(session)
    yield await _classes(session)
    yield await _agents(session)


def _may(seen: object, well: str) -> str:
    return "you may not see that" if seen is None else well


async def _definitions(session: Session) -> Found:
    missing = []
    for kind in OWN_KINDS:
        try:
            await session.api.list(unread(kind), kind.home)
        except NotFound:
            missing.append(kind.resource)
        except Forbidden:
            continue  # it is served, only not to this user
    says = f"not served: {', '.join(missing)}; is the chart installed?" if missing else f"all {len(OWN_KINDS)} served"
    return Found("definitions", not missing, says)


async def _listed(session: Session, kind: Kind[Raw], namespace: str = "") -> list[Raw] | None:
    try:
        return list((await session.api.list(kind, namespace)).items)
    except (Forbidden, NotFound):
        return None


def _deployment(part: str, deployments: list[Raw] | None) -> Found:
    what = f"deployment of the {part}"
    ours = [one for one in deployments or () if _labels(one).items() >= {_PART: "backstay", _COMPONENT: part}.items()]
    if deployments is None or not ours:
        return Found(what, None if deployments is None else False, _may(deployments, f"none in {SYSTEM_NAMESPACE}"))
    wanted = sum(one["spec"].get("replicas", 1) for one in ours)
    ready = sum((one.get("status") or {}).get("readyReplicas", 0) for one in ours)
    versions = sorted({_labels(one).get("app.kubernetes.io/version", "?") for one in ours})
    skew = "" if versions == [VERSION] else f"; this program is {VERSION}"
    return Found(what, 0 < ready >= wanted, f"{ready} of {wanted} ready, version {', '.join(versions)}{skew}")


def _labels(one: Raw) -> Mapping[str, str]:
    labels: Mapping[str, str] = one["metadata"].get("labels") or {}
    return labels


async def _classes(session: Session) -> Found:
    found = await _listed(session, unread(SERVICE_CLASSES))
    says = f"{len(found)} say what services may bring" if found else "none, so services may bring whatever they like"
    return Found("service classes", None if found is None else True, _may(found, says))


async def _policies(session: Session) -> Found:
    policies, bindings = await _listed(session, _POLICIES), await _listed(session, _BINDINGS)
    if policies is None or bindings is None:
        return Found("policies", None, "you may not see that, or this API server has none (Kubernetes 1.30 has)")
    bound = {one["spec"].get("policyName") for one in bindings}
    there = {one["metadata"]["name"] for one in policies} & bound
    missing = [name for name in POLICIES if name not in there]
    says = f"missing, or not bound: {', '.join(missing)}" if missing else f"all {len(POLICIES)} there and bound"
    return Found("policies", not missing, says)


async def _agents(session: Session) -> Found:
    hosts = await _listed(session, unread(HOSTS))
    if hosts is None:
        return Found("agents", None, "you may not see that")
    said: dict[str, list[str]] = {}
    for host in hosts:
        version: Any = (host.get("status") or {}).get("agentVersion") or "none that has reported"
        said.setdefault(version, []).append(host["metadata"]["name"])
    told = "; ".join(f"{version}: {', '.join(names)}" for version, names in sorted(said.items()))
    # An agent of another version is served: that is no fault. One that has never reported may be a host that is still to be set up.
    return Found("agents", True, told or "there are no hosts yet: `backstay host add NAME`")
