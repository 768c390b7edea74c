"""The line that `backstay host join-token` prints and `backstay-agent join` reads. Standard library only."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import Final

from .texts import read_json

PREFIX: Final = "bs1."
CLAIMED_BY: Final = "backstay.dev/claimed-by"
"""Annotation of the join Secret: the UUID of the machine that uses the token."""
ENDS: Final = "backstay.dev/ends"
"""And when the token ends, by the API server's clock: its Secret is anybody's to take away then."""
TAKEN: Final = "backstay.dev/taken"
"""Annotation of the Secret that carries a host over to a new identity: its agent has, and keeps, a token that is bound to it."""
RENEWED: Final = "backstay.dev/renewed"
"""Another one of it: the host's own identity is a new one, or stays as it was; the agent goes back to it, and deletes this Secret."""
LONGEST_S: Final = 3600
"""What the policy `backstay-tokens` lets a join token live at most."""


class NoJoinToken(Exception):
    """It is no join token of ours; the message says what is wrong with it."""


@dataclass(frozen=True)
class JoinToken:
    """Everything a machine must know to become this host. `token` is a password until it is used, or has ended."""

    host: str
    servers: tuple[str, ...]
    """`https://host:port`."""
    ca: str
    """PEM; empty: the servers' certificates are signed by a CA that every machine trusts."""
    token: str
    server_name: str = ""
    """The name in the servers' certificates, where it is not that of the address."""
    cluster: str = ""
    """Which cluster that is: the UID of its namespace `kube-system`. Empty: whoever made this did not say."""

    def line(self) -> str:
        body = json.dumps(asdict(self), separators=(",", ":")).encode()
        return PREFIX + base64.urlsafe_b64encode(body).decode().rstrip("=")


def read_line(text: str) -> JoinToken:
    """Raises NoJoinToken with a sentence, which never has the token in it."""
    line = text.strip()
    if not line:
        raise NoJoinToken("nothing came: `backstay host join-token` on the other side of the pipe says why")
    if not line.startswith(PREFIX) or len(line.split()) != 1:
        raise NoJoinToken(f"that is no join token: one is a single line that begins with {PREFIX}")
    try:
        body = line.removeprefix(PREFIX)
        given = read_json(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        given["servers"] = tuple(map(str, given["servers"]))
        found = JoinToken(**given)
    except (ValueError, TypeError, KeyError) as error:
        raise NoJoinToken("that join token is damaged: was all of its line copied?") from error
    if not all(
        isinstance(value, str) for value in (found.host, found.ca, found.token, found.server_name, found.cluster)
    ):
        raise NoJoinToken("that join token is damaged: was all of its line copied?")
    return found
