"""Claims a join token, and gets the host's own token for it."""

from __future__ import annotations

from typing import Final

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, Conflict, Forbidden, NotFound, Unauthorized
from backstay_api.objects.join_tokens import CLAIMED_BY, JoinToken
from backstay_api.objects.kinds import SECRETS, token_requests
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.names import LONGEST_TOKEN_S, agent_account, join_secret

_TRIES: Final = 3


class Refused(Exception):
    """This machine does not become the host, and nothing was changed on it; the message says why."""


async def claim(api: Api, token: JoinToken, machine: str) -> None:
    """Say that this machine (its UUID) is the one that uses the token. Of two at once one is refused. Doing it again is no harm."""
    for _ in range(_TRIES):
        try:
            if await _claimed(api, token.host, machine):
                return
        except Conflict:
            continue  # somebody wrote it meanwhile: look who
        except (NotFound, Unauthorized) as error:
            raise Refused(
                f"this join token is used up, or has ended: make another with `backstay host join-token {token.host}`. If you have"
                f" not used it, somebody else has, and is {token.host} now: `backstay host revoke {token.host}`"
            ) from error
        except Forbidden as error:
            raise Refused(f"the identity of {token.host} may not join ({error.message}): make another token") from error
    raise Refused("the join token is being written by somebody else all the time: try again")


async def _claimed(api: Api, host: str, machine: str) -> bool:
    secret = await api.get(SECRETS, join_secret(host), NAMESPACE)
    meta = secret["metadata"]
    by = (meta.get("annotations") or {}).get(CLAIMED_BY, "")
    if by and by != machine:
        raise Refused(
            f"this join token was used by another machine, with the UUID {by}: if that is not {host}, it is {host} now all the"
            f" same: `backstay host revoke {host}`, then make another token"
        )
    if not by:
        change = {"metadata": {"resourceVersion": meta["resourceVersion"], "annotations": {CLAIMED_BY: machine}}}
        await api.patch(SECRETS, join_secret(host), change, NAMESPACE)
    return True


async def own_token(api: Api, host: str) -> str:
    """The host's own token: 30 days, bound to its identity."""
    account = agent_account(host)
    identity = {"kind": "Secret", "apiVersion": "v1", "name": account}
    wanted = {"spec": {"expirationSeconds": LONGEST_TOKEN_S, "boundObjectRef": identity}}
    try:
        answer = await api.create(token_requests(account), wanted, NAMESPACE)
        return str(answer["status"]["token"])
    except NotFound as error:
        raise Refused(f"{host} has no identity: `backstay host add {host}`, then make another token") from error


async def spend(api: Api, host: str) -> str:
    """The join token is nobody's any more, within 10 s. Why that is not so, or empty: it ends by itself within the hour."""
    try:
        await api.delete(SECRETS, join_secret(host), NAMESPACE)
    except (NotFound, Unauthorized):
        return ""
    except ApiError as error:
        return str(error)
    return ""
