"""A host's identity is made anew (`backstay host rotate`) while its agent goes on renewing: over a bridge, and back.

A token is bound to a Secret, and dead once that is deleted. So for a minute there is a second one, `backstay-next-<host>`:

1. a person makes it; the agent gets a token that is bound to it, keeps that, and says so there (`TAKEN`);
2. the person deletes the host's own identity, which ends all tokens of before, makes it anew, and says so (`RENEWED`);
3. the agent gets a token that is bound to the new one, keeps it, and deletes the second Secret.

Each step follows from what is there, so whoever dies in between goes on; and nobody gives up a token before he has kept the next.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_agent.store.disk import replace_file
from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, NotFound
from backstay_api.objects.join_tokens import RENEWED, TAKEN
from backstay_api.objects.kinds import SECRETS, Raw, token_requests
from backstay_api.objects.names import LONGEST_TOKEN_S, agent_account, next_identity

log = logging.getLogger(__name__)

CARRIED_S: Final = 3600
"""What the policy `backstay-tokens` lets a token live at most that is bound to the second Secret. It is renewed as any other."""


@dataclass(frozen=True)
class Token:
    """What a ServiceAccount's token says of itself."""

    namespace: str
    account: str
    issued_at_s: float
    expires_at_s: float
    identity: str = ""
    """The Secret that it is bound to; empty: none."""

    @property
    def life_s(self) -> float:
        return self.expires_at_s - self.issued_at_s

    @property
    def host(self) -> str:
        """Whose agent this is; empty: no host's."""
        before = agent_account("")
        return self.account.removeprefix(before) if self.account.startswith(before) else ""


async def followed(api: Api, path: Path, token: Token) -> bool:
    """Do what is to be done now. True: there is another token in the file."""
    if not token.host:
        return False
    try:
        return await _followed(api, path, token)
    except NotFound:
        return False  # as nearly always: nobody asks for it
    except (ApiError, OSError, KeyError) as error:
        # Forbidden: a host whose role is of a release before. `host rotate` brings it up to date first.
        log.debug("no look whether the identity is to be made anew", extra={"why": str(error)})
        return False


async def _followed(api: Api, path: Path, token: Token) -> bool:
    name = next_identity(token.host)
    said = _notes(await api.get(SECRETS, name, token.namespace))
    is_carried = token.identity == name
    if RENEWED in said:
        if is_carried:
            await bind(api, path, token, token.account, life_s=LONGEST_TOKEN_S)
            log.info("token of the new identity", extra={"file": str(path)})
        await api.delete(SECRETS, name, token.namespace)
        return is_carried
    if not is_carried:
        await bind(api, path, token, name, life_s=CARRIED_S)
        log.info("token while the identity is made anew", extra={"file": str(path)})
        return True
    if TAKEN not in said:
        await api.patch(SECRETS, name, {"metadata": {"annotations": {TAKEN: "true"}}}, token.namespace)
    return False


async def bind(api: Api, path: Path, token: Token, identity: str, *, life_s: int) -> None:
    """Get a token that is bound to this Secret, and keep it."""
    bound = {"kind": "Secret", "apiVersion": "v1", "name": identity}
    wanted = {"spec": {"expirationSeconds": life_s, "boundObjectRef": bound}}
    answer = await api.create(token_requests(token.account), wanted, token.namespace)
    replace_file(path, str(answer["status"]["token"]))


def _notes(secret: Raw) -> Raw:
    return secret["metadata"].get("annotations") or {}
