"""`backstay host add` and `host remove`: a Host, and an identity for its agent that may do what that agent needs and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
import yaml
from pydantic import ValidationError

from backstay_api.client.api import Api
from backstay_api.client.errors import AlreadyExists, Forbidden, NotFound
from backstay_api.objects import rbac
from backstay_api.objects.kinds import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    Kind,
    Raw,
    unread,
)
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.models import Host
from backstay_api.objects.models.base import GROUP
from backstay_api.objects.object_kinds import HA_INSTANCES, HOSTS, faults
from backstay_operator.planner.judge.host_facts import MOST_HOST_NAME_CHARS

from .maintenance import ROLE, held_on
from .names import HostName
from .rights import Right, of_rules, rights_to
from .session import NOT_NOW, WELL, Session, Stop

ENROLS: Final = f"{ROLE}, or backstay:enrollers (enrollers) for new hosts and for tokens,"
_RBAC = "rbac.authorization.k8s.io"
_LABEL_CHARS: Final = 63


@dataclass(frozen=True)
class Wanted:
    """One object that shall exist."""

    kind: Kind[Raw]
    body: Raw
    may_replace: bool
    """Ours alone, so brought back to what it should be; a Host belongs to its admins."""

    @property
    def name(self) -> str:
        return f"{self.kind.kind} {self.body['metadata']['name']}"


async def add(
    session: Session,
    name: HostName,
    labels: Annotated[str, typer.Option(help="Labels of the host: key=value,key=value.")] = "",
    bmc: Annotated[
        str, typer.Option(help="Fence agent of its BMC: fence_redfish, fence_ipmilan, …", metavar="AGENT")
    ] = "",
    bmc_parameter: Annotated[
        list[str] | None,
        typer.Option(
            help="Parameter of that agent, again for each: systems_uri=/redfish/v1/Systems/1.", metavar="KEY=VALUE"
        ),
    ] = None,
    bmc_secret: Annotated[
        str, typer.Option(help="Secret in backstay-fencing with its ip, username and password.", metavar="NAME")
    ] = "",
    heartbeat: Annotated[
        str, typer.Option(help="How quickly its silence is noticed: lab, fast, default, tolerant.", metavar="PROFILE")
    ] = "",
) -> int:
    """Add a host: its object, and an identity for its agent. Doing it again repairs what is missing.

    With --dry-run=client it prints the manifests, for Git, and needs no cluster.
    """
    fencing = _fencing(bmc, _pairs(bmc_parameter or []), bmc_secret)
    named = _pairs(labels.split(",") if labels else [])
    objects = wanted_for(name, labels=named, fencing=fencing, heartbeat=heartbeat)
    _check(objects[0].body)
    if session.options.dry_run == "client":
        _print_manifests(session, objects)
        return WELL
    host, *identity = objects
    await session.need([*await _rights_on(session, host), *await _rights_to_make(session, name, identity)], ENROLS)
    done = [(one.name, await repair(session.api, one)) for one in objects]
    return _tell(session, done, _next_steps(name, bmc_secret))


async def remove(
    session: Session,
    name: HostName,
    force: Annotated[
        bool, typer.Option("--force", help="Remove it even though it still holds services (the machine is gone).")
    ] = False,
) -> int:
    """Remove a host and its agent's identity, once it holds nothing."""
    objects = [*wanted_for(name), *_passing(name)]
    await session.need([*rights_to("list", HA_INSTANCES), *_rights("delete", objects)], ROLE)
    held = [one.key for one in await held_on(session.api, name)]
    if held and not force:
        raise Stop(
            f"{name} still holds {', '.join(held)}: `backstay drain {name} --wait` first"
            " (or --force, if that machine will never come back)",
            NOT_NOW,
        )
    done = [(one.name, await _delete(session.api, one)) for one in objects]
    advice = (
        f"\nThen on {name}: systemctl disable --now backstay-agent\n"
        f"and, so that its units start by themselves again: backstay-agent --remove"
    )
    return _tell(session, done, advice)


def _passing(name: str) -> list[Wanted]:
    """What a join token that waits to be used is bound to, and the tokens of a host whose identity is made anew."""
    names = (rbac.join_secret(name), rbac.next_identity(name))
    return [Wanted(SECRETS, {"metadata": {"name": one, "namespace": NAMESPACE}}, False) for one in names]


def _tell(session: Session, done: Sequence[tuple[str, str]], advice: str) -> int:
    for what, result in done:
        session.say(f"{what} {result}")
    session.show([{"object": what, "result": result} for what, result in done], lambda: session.say(advice))
    return WELL


# --- what there shall be ---------------------------------------------------------------------------------------------


def wanted_for(
    name: str, *, labels: dict[str, str] | None = None, fencing: Raw | None = None, heartbeat: str = ""
) -> list[Wanted]:
    """Everything that `host add` creates, in order."""
    account = rbac.agent_account(name)
    marks = {"app.kubernetes.io/managed-by": "backstay"}
    if len(name) <= _LABEL_CHARS:  # for people who look for it
        marks[f"{GROUP}/host"] = name
    local = {"name": account, "namespace": NAMESPACE, "labels": marks}
    cluster_wide = {"name": rbac.agent_cluster_role(name), "labels": marks}
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}]
    spec: Raw = {"fencing": fencing} if fencing else {}
    if heartbeat:
        spec["heartbeat"] = {"profile": heartbeat}
    host: Raw = {"metadata": {"name": name, "labels": labels or {}}, "spec": spec}
    role_ref = {"apiGroup": _RBAC, "kind": "Role", "name": account}
    cluster_role_ref = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": cluster_wide["name"]}
    return [
        Wanted(unread(HOSTS), host, False),
        Wanted(SERVICE_ACCOUNTS, {"metadata": dict(local)}, False),
        # Tokens are bound to it: whoever deletes it ends them all, within seconds.
        Wanted(SECRETS, {"metadata": dict(local), "type": rbac.IDENTITY_TYPE}, False),
        # The operator writes into it what is in this host's files from Secrets.
        Wanted(SECRETS, {"metadata": local | {"name": rbac.files_secret(name)}, "type": rbac.FILES_TYPE}, False),
        Wanted(CLUSTER_ROLES, {"metadata": dict(cluster_wide), "rules": rbac.agent(name)}, True),
        Wanted(
            CLUSTER_ROLE_BINDINGS,
            {"metadata": dict(cluster_wide), "roleRef": cluster_role_ref, "subjects": subjects},
            True,
        ),
        Wanted(ROLES, {"metadata": dict(local), "rules": rbac.agent_in_hosts(name)}, True),
        Wanted(ROLE_BINDINGS, {"metadata": dict(local), "roleRef": role_ref, "subjects": subjects}, True),
    ]


def identity_of(name: str) -> list[Wanted]:
    """All of that but the Host, which is its admins'."""
    return [one for one in wanted_for(name) if one.kind.kind != HOSTS.kind]


def _fencing(agent: str, parameters: dict[str, str], secret: str) -> Raw | None:
    if not agent:
        if parameters or secret:
            raise typer.BadParameter("--bmc-parameter and --bmc-secret belong to --bmc AGENT")
        return None
    device: Raw = {"name": "bmc", "agent": agent}
    if parameters:
        device["parameters"] = parameters
    if secret:
        device["secretRef"] = {"name": secret}
    return {"levels": [{"name": "bmc", "devices": [device]}]}


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.strip().partition("=") for text in texts if text.strip()]
    if wrong := next((key for key, equals, _ in pairs if not equals or not key), None):
        raise typer.BadParameter(f"{wrong!r} is not key=value")
    return {key: value for key, _, value in pairs}


def _check(host: Raw) -> None:
    chars = len(host["metadata"]["name"])
    if chars > MOST_HOST_NAME_CHARS:
        raise typer.BadParameter(f"a host's name may have {MOST_HOST_NAME_CHARS} characters, this one has {chars}")
    try:
        Host.from_wire({**host, "spec": host["spec"] or {}})
    except ValidationError as error:
        raise typer.BadParameter(faults(error)[0]) from error


def _rights(verbs: str, objects: Sequence[Wanted]) -> list[Right]:
    found = []
    for one in objects:
        meta = one.body["metadata"]
        for verb in verbs.split():
            # An object that is not there yet has no name, to RBAC.
            found += rights_to(verb, one.kind, meta.get("namespace", ""), "" if verb == "create" else meta["name"])
    return found


async def _rights_on(session: Session, host: Wanted) -> list[Right]:
    """A Host belongs to its admins: who only enrols hosts makes new ones, and changes none that is there."""
    name = host.body["metadata"]["name"]
    try:
        stored = await session.api.get(host.kind, name)
    except (NotFound, Forbidden):
        return rights_to("get", HOSTS, name=name) + rights_to("create", HOSTS)
    return rights_to("patch", HOSTS, name=name) if _difference(host, stored) else []


async def _rights_to_make(session: Session, name: str, objects: Sequence[Wanted]) -> list[Right]:
    return await _missing_to_hand_on(session, name) + _rights("create get patch", objects)


async def rights_to_repair(session: Session, name: str) -> list[Right]:
    """What it takes to make a host's identity anew."""
    return await _rights_to_make(session, name, identity_of(name))


async def _missing_to_hand_on(session: Session, name: str) -> list[Right]:
    """Kubernetes lets people give only rights that they have themselves, or may give all (`escalate` and `bind`)."""
    given = [*of_rules(rbac.agent(name)), *of_rules(rbac.agent_in_hosts(name), NAMESPACE)]
    missing = await session.tools.refused(session.api, given)
    if not missing:
        return []
    anything = [
        Right(verb, _RBAC, resource, namespace)
        for verb in ("escalate", "bind")
        for resource, namespace in (("clusterroles", ""), ("roles", NAMESPACE))
    ]
    return missing if await session.tools.refused(session.api, anything) else []


# --- bringing it about -----------------------------------------------------------------------------------------------


async def repair(api: Api, wanted: Wanted) -> str:
    """Make it, or bring it back to what it should be; what was done, in a word."""
    namespace = wanted.body["metadata"].get("namespace", "")
    try:
        await api.create(wanted.kind, wanted.body, namespace)
        return "created"
    except AlreadyExists:
        stored = await api.get(wanted.kind, wanted.body["metadata"]["name"], namespace)
    patch = _difference(wanted, stored)
    if not patch:
        return "unchanged"
    # With the version, so that nothing that somebody else has just written is lost.
    meta = {**patch.get("metadata", {}), "resourceVersion": stored["metadata"]["resourceVersion"]}
    await api.patch(wanted.kind, stored["metadata"]["name"], {**patch, "metadata": meta}, namespace)
    return "updated"


def _difference(wanted: Wanted, stored: Raw) -> Raw:
    """What a merge patch has to say; of a Host only what was asked for on the command line, and that is added."""
    patch: Raw = {}
    labels = wanted.body["metadata"].get("labels") or {}
    if not _holds(stored["metadata"].get("labels") or {}, labels):
        patch["metadata"] = {"labels": labels}
    parts = ("rules", "roleRef", "subjects") if wanted.may_replace else ("spec",)
    for part in parts:
        value: Any = wanted.body.get(part)
        if value and not _holds(stored.get(part), value):
            patch[part] = value
    return patch


def _holds(stored: Any, wanted: Any) -> bool:
    """Whether the stored value says all that is wanted; the API server may have added defaults."""
    if isinstance(wanted, dict) and isinstance(stored, dict):
        return all(_holds(stored.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(stored, list):
        return len(stored) == len(wanted) and all(map(_holds, stored, wanted))
    return bool(stored == wanted)


async def _delete(api: Api, wanted: Wanted) -> str:
    try:
        await api.delete(wanted.kind, wanted.body["metadata"]["name"], wanted.body["metadata"].get("namespace", ""))
    except NotFound:
        return "was not there"
    return "deleted"


def _print_manifests(session: Session, objects: Sequence[Wanted]) -> None:
    bodies = [one.kind.to_wire(one.body) for one in objects]
    if session.options.output == "json":
        session.show({"apiVersion": "v1", "kind": "List", "items": bodies}, lambda: None)
    else:
        session.out.file.write(yaml.safe_dump_all(bodies, sort_keys=False))


def _next_steps(name: str, secret: str) -> str:
    of_secret = (
        f", and whether its BMC answers; Secret {rbac.FENCING_NAMESPACE}/{secret} must hold ip, username, password"
    )
    return (
        f"\nNext, once the package backstay-agent is installed on {name} (docs/how-to/add-a-host.md):\n"
        f"  backstay host join-token {name} | ssh {name} backstay-agent join -\n"
        f"`backstay status` says when {name} has reported{of_secret if secret else ''}."
    )
