"""`backstay host rotate HOST`: another identity for a host whose agent goes on renewing; tokens of before end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from secrets import token_hex
from typing import Annotated, Final

import typer

from backstay_api.client.errors import AlreadyExists, Conflict, NotFound
from backstay_api.objects.join_tokens import RENEWED, TAKEN
from backstay_api.objects.kinds import SECRETS, Raw
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.object_kinds import HOSTS
from backstay_api.objects.rbac import IDENTITY_TYPE, agent_account, next_identity

from .enrol import ENROLS, identity_of, repair, rights_to_repair
from .maintenance import seconds_of
from .names import HostName
from .rights import Right, rights_to
from .session import FAILED, NOT_NOW, WELL, Session, Stop
from .view import host_named

LOOK_EVERY_S: Final = 0.5
_ELSE: Final = "somebody else is making the identity of {} anew: leave it to them"
_BY: Final = "backstay.dev/renewing"


async def rotate(
    session: Session,
    host: HostName,
    timeout: Annotated[str, typer.Option(help="How long its agent is waited for, twice.")] = "2m",
) -> int:
    """Give a host that lives another identity, without a pause: every token of before is dead ten seconds later.

    Against a token that may have been copied. Whoever still uses one may follow to the new identity as the agent does: then
    `backstay host revoke`, and join it again.
    """
    limit_s = seconds_of(timeout)
    await session.need([*await rights_to_repair(session, host), *_rights(host)], ENROLS)
    await host_named(session.api, host)
    if await _seen(session, agent_account(host)) is None and await _seen(session, next_identity(host)) is None:
        raise Stop(f"{host} has no identity: `backstay host join-token {host}` makes one", NOT_NOW)
    for wanted in identity_of(host):
        await repair(session.api, wanted)
    await _make(session, next_identity(host))
    await _until_taken(session, host, limit_s)
    version = await _begin(session, host)
    session.say(f"{host} has a token of its next identity. Ending those of before.")
    with suppress(NotFound):
        await session.api.delete(SECRETS, agent_account(host), NAMESPACE)
    for wanted in identity_of(host):
        await repair(session.api, wanted)
    try:
        await _note_renewed(session, host, version)
    except (Conflict, NotFound):
        raise Stop(_ELSE.format(host), NOT_NOW) from None
    is_back = await _until(session, host, lambda secret: secret is None, limit_s)
    advice = (
        f"{host} has its new identity; every token of before is dead within 10 s."
        if is_back
        else f"every token of before is dead within 10 s. The agent of {host} is not back at the new identity yet, and goes by itself."
    )
    session.show({"host": host, "rotated": True, "taken": is_back}, lambda: session.say(advice))
    return WELL


def _rights(host: str) -> list[Right]:
    names = (agent_account(host), next_identity(host))
    return [
        *rights_to("get", HOSTS, name=host),
        *(right for name in names for right in rights_to("get patch delete", SECRETS, NAMESPACE, name)),
        *rights_to("create", SECRETS, NAMESPACE),
    ]


async def _make(session: Session, name: str) -> None:
    """Unless it is there: then somebody has begun before, and this goes on."""
    marks = {"app.kubernetes.io/managed-by": "backstay"}
    body: Raw = {"metadata": {"name": name, "namespace": NAMESPACE, "labels": marks}, "type": IDENTITY_TYPE}
    with suppress(AlreadyExists):
        await session.api.create(SECRETS, body, NAMESPACE)


async def _until_taken(session: Session, host: str, limit_s: float) -> None:
    if await _until(session, host, lambda secret: secret is None or _says(secret, TAKEN, RENEWED), limit_s):
        return
    # Not deleted: the agent may have taken it this very moment, and goes back by this word.
    try:
        if secret := await _seen(session, next_identity(host)):
            await _note_renewed(session, host, secret["metadata"]["resourceVersion"])
    except (Conflict, NotFound):
        raise Stop(f"the agent of {host} has just answered: try again", NOT_NOW) from None
    raise Stop(
        f"the agent of {host} has not answered within {limit_s:g} s (off, cut off, or of a release before this verb): its identity"
        " stays as it was, and no token has ended",
        FAILED,
    )


async def _begin(session: Session, host: str) -> str:
    """Of two people who do it at once the later mark counts: only who has made it may say RENEWED, and before that no agent goes back."""
    secret = await _seen(session, next_identity(host))
    if secret is None or _says(secret, RENEWED):
        raise Stop(_ELSE.format(host), NOT_NOW)
    marked = {"resourceVersion": secret["metadata"]["resourceVersion"], "annotations": {_BY: token_hex(8)}}
    try:
        return await _noted(session, host, marked)
    except (Conflict, NotFound):
        raise Stop(_ELSE.format(host), NOT_NOW) from None


async def _note_renewed(session: Session, host: str, version: str) -> None:
    await _noted(session, host, {"resourceVersion": version, "annotations": {RENEWED: "true"}})


async def _noted(session: Session, host: str, meta: Raw) -> str:
    written = await session.api.patch(SECRETS, next_identity(host), {"metadata": meta}, NAMESPACE)
    return str(written["metadata"]["resourceVersion"])


async def _until(session: Session, host: str, is_so: Callable[[Raw | None], bool], limit_s: float) -> bool:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + limit_s
    while not is_so(await _seen(session, next_identity(host))):
        if loop.time() >= until_s:
            return False
        await asyncio.sleep(LOOK_EVERY_S)
    return True


async def _seen(session: Session, name: str) -> Raw | None:
    try:
        return await session.api.get(SECRETS, name, NAMESPACE)
    except NotFound:
        return None


def _says(secret: Raw, *words: str) -> bool:
    return any(word in (secret["metadata"].get("annotations") or {}) for word in words)
