"""`backstay host join-token`, `list` and `revoke`: how a machine gets the identity of a host, who has one, and how it ends."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from backstay_api.client.errors import ApiError, Forbidden, NotFound
from backstay_api.client.transport import ApiConfig
from backstay_api.objects import durations
from backstay_api.objects.join_tokens import CLAIMED_BY, ENDS, LONGEST_S, JoinToken
from backstay_api.objects.kinds import NAMESPACES, SECRETS, Raw, token_requests, unread
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.object_kinds import HA_INSTANCES, HOSTS
from backstay_api.objects.rbac import CLUSTER_NAMESPACE, JOIN_TYPE, agent_account, join_secret, next_identity
from backstay_operator.planner.words import elapsed_s

from .enrol import ENROLS, identity_of, repair, rights_to_repair
from .maintenance import held_on
from .names import HostName
from .rights import Right, rights_to
from .session import FAILED, NOT_NOW, WELL, Session, Stop
from .tables import age, table
from .view import VIEW, host_named

SHORTEST_S: Final = 600
"""What Kubernetes grants at least."""
_HERE: Final = ("127.0.0.1", "::1", "localhost")


async def join_token(
    session: Session,
    host: HostName,
    ttl: Annotated[str, typer.Option(help="How long it may wait to be used: 10m to 1h.")] = "15m",
    server: Annotated[
        list[str] | None,
        typer.Option(
            help="API server as the host reaches it, again for each.  [default: the kubeconfig's]",
            metavar="https://HOST:PORT",
        ),
    ] = None,
) -> int:
    """Print a line that makes one machine this host: `backstay host join-token n1 | ssh n1 backstay-agent join -`."""
    life_s = _life_s(ttl)
    known = session.tools.endpoint(session.options)
    servers = _servers(known, server or [])
    await session.need([*await rights_to_repair(session, host), *_rights(host)], ENROLS)
    await host_named(session.api, host)
    cluster = str((await session.api.get(NAMESPACES, CLUSTER_NAMESPACE))["metadata"]["uid"])
    for wanted in identity_of(host):
        await repair(session.api, wanted)
    token = await _new_token(session, host, life_s)
    await _clear_ended(session)
    line = JoinToken(host, servers, _ca(known), token, known.server_name, cluster).line()
    session.show({"host": host, "line": line}, lambda: None)
    if not session.options.output:
        session.out.file.write(line + "\n")
    session.err.print(f"for one machine, within {ttl}; whoever has this line first is {host}", markup=False)
    return WELL


def _ca(known: ApiConfig) -> str:
    return Path(known.ca_file).read_text() if known.ca_file else ""


async def _new_token(session: Session, host: str, life_s: int) -> str:
    """Of two tokens for one host the older ends: its Secret is another one."""
    name = join_secret(host)
    with suppress(NotFound):
        await session.api.delete(SECRETS, name, NAMESPACE)
    marks = {"app.kubernetes.io/managed-by": "backstay"}
    now = await session.tools.server_time(session.api) or session.tools.wall()
    ends = {ENDS: durations.later(now, life_s)}
    meta = {"name": name, "namespace": NAMESPACE, "labels": marks, "annotations": ends}
    secret: Raw = {"metadata": meta, "type": JOIN_TYPE}
    await session.api.create(SECRETS, secret, NAMESPACE)
    bound = {"kind": "Secret", "apiVersion": "v1", "name": name}
    wanted = {"spec": {"expirationSeconds": life_s, "boundObjectRef": bound}}
    answer = await session.api.create(token_requests(agent_account(host)), wanted, NAMESPACE)
    return str(answer["status"]["token"])


async def _clear_ended(session: Session) -> None:
    """What join tokens that nobody used have left: nothing else would ever take their Secrets away. No fault if it cannot be done now."""
    with suppress(ApiError):
        now = await session.tools.server_time(session.api)
        for secret in (await session.api.list(SECRETS, NAMESPACE)).items:
            if secret.get("type") == JOIN_TYPE and _has_ended(secret["metadata"], now):
                name, uid = secret["metadata"]["name"], secret["metadata"]["uid"]
                await session.api.delete(SECRETS, name, NAMESPACE, uid=uid)
                session.err.print(f"{name}: its join token has ended unused; deleted", markup=False)


def _has_ended(meta: Raw, now: str) -> bool:
    """One that does not say when it ends is of an earlier release: it goes with its host's next one."""
    ends = str((meta.get("annotations") or {}).get(ENDS, ""))
    return (elapsed_s(ends, now) or 0.0) > 0


def _rights(host: str) -> list[Right]:
    secrets = [*rights_to("create", SECRETS, NAMESPACE), *rights_to("delete", SECRETS, NAMESPACE, join_secret(host))]
    tokens = Right("create", "", "serviceaccounts", NAMESPACE, agent_account(host), "token")
    cluster = rights_to("get", NAMESPACES, name=CLUSTER_NAMESPACE)
    return [*rights_to("get", HOSTS, name=host), *cluster, *secrets, tokens]


def _life_s(ttl: str) -> int:
    try:
        life_s = durations.seconds(ttl)
    except ValueError as error:
        raise typer.BadParameter(f"--ttl {ttl!r}: {error}") from error
    if not SHORTEST_S <= life_s <= LONGEST_S:
        raise typer.BadParameter(f"--ttl {ttl}: a join token lives 10m to 1h")
    return round(life_s)


def _servers(known: ApiConfig, named: list[str]) -> tuple[str, ...]:
    servers = tuple(named) or known.servers
    for one in servers:
        place = urlsplit(one)
        if place.scheme != "https" or not place.hostname:
            raise typer.BadParameter(f"{one!r} is not the address of an API server: https://host:port")
        if place.hostname in _HERE:
            raise Stop(
                f"{one} leads to another machine on every host: say how hosts reach the API server, --server https://…",
                NOT_NOW,
            )
    return servers


# --- list ------------------------------------------------------------------------------------------------------------


async def list_hosts(session: Session) -> int:
    """Show each host's identity: since when it has one, when its agent's token ends, whether a join token waits, its agent's version."""
    await session.need(rights_to("list", HOSTS), VIEW)
    hosts = sorted((await session.api.list(unread(HOSTS))).items, key=lambda one: str(one["metadata"]["name"]))
    rows = [await _row(session, one) for one in hosts]
    now = await session.tools.server_time(session.api) or session.tools.wall()

    def human() -> None:
        cells = [
            [
                one["host"],
                one["agent"],
                one["identity"],
                age(one["since"], now),
                _left(one["until"], now),
                one["joining"],
            ]
            for one in rows
        ]
        table(session.out, ["HOST", "AGENT", "IDENTITY", "SINCE", "TOKEN ENDS", "JOIN TOKEN"], cells)

    session.show(rows, human)
    return WELL


async def _row(session: Session, host: Raw) -> dict[str, str]:
    name = str(host["metadata"]["name"])
    identity, since = await _look(session, agent_account(name))
    joining, _ = await _look(session, join_secret(name))
    status = host.get("status", {})
    agent, until = (str(status.get(key, "")) for key in ("agentVersion", "credentialUntil"))
    said = {"valid": "valid", "none": "none (revoked, or never made)", "?": "? (you may not see it)"}[identity]
    waits = {"none": "", "?": "?"}.get(joining, "waits to be used" if joining == "valid" else joining)
    return {"host": name, "agent": agent or "-", "identity": said, "since": since, "until": until, "joining": waits}


def _left(until: str, now: str) -> str:
    """Of a token, in words: `in 29d`; nothing, where its agent does not say."""
    left_s = elapsed_s(now, until)
    return "-" if left_s is None else f"in {age(now, until)}" if left_s > 0 else "has ended"


async def _look(session: Session, name: str) -> tuple[str, str]:
    """`valid`, `none`, `?`, or which machine has claimed it; and since when it is there."""
    try:
        meta = (await session.api.get(SECRETS, name, NAMESPACE))["metadata"]
    except NotFound:
        return "none", ""
    except Forbidden:
        return "?", ""
    by = (meta.get("annotations") or {}).get(CLAIMED_BY)
    return (f"claimed by {by}" if by else "valid"), str(meta.get("creationTimestamp") or "")


# --- revoke ----------------------------------------------------------------------------------------------------------


async def revoke(
    session: Session,
    host: HostName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> int:
    """End every token of a host within ten seconds, a stolen one too. A host that holds services is powered off then."""
    secrets = [agent_account(host), join_secret(host), next_identity(host)]
    deleting = [right for name in secrets for right in rights_to("delete", SECRETS, NAMESPACE, name)]
    await session.need([*rights_to("get", HOSTS, name=host), *rights_to("list", HA_INSTANCES), *deleting], ENROLS)
    await host_named(session.api, host)
    held = [one.key for one in await held_on(session.api, host)]
    if held and not yes:
        what = f"{host} holds {', '.join(held)}: without its identity it is taken for dead and powered off. Go on?"
        if not session.tools.ask(what):
            raise Stop(f"nothing was changed. `backstay drain {host} --wait` first loses no service", NOT_NOW)
    done: list[dict[str, str]] = []
    for name in secrets:
        with suppress(NotFound):
            await session.api.delete(SECRETS, name, NAMESPACE)
            done.append({"secret": name, "result": "deleted"})
    if not done:
        raise Stop(f"{host} has no identity: it was revoked before, or never made", FAILED)
    advice = (
        f"every token of {host} is dead within 10 s. It comes back with a new one:\n"
        f"  backstay host join-token {host} | ssh {host} backstay-agent join -"
    )
    session.show({"host": host, "held": held, "done": done}, lambda: session.say(advice))
    return WELL
