"""The whole of a join, and what it leaves on the machine: three files in /etc/backstay, masked sleep, and the agent's unit enabled."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backstay_agent.config import CLUSTER, HOST, SLEEP_TARGETS, kept, machine_uuid, sleep_obstacle
from backstay_agent.policy.files import FOLDER, REQUIRED
from backstay_agent.policy.first import first_policy
from backstay_agent.store.disk import replace_file
from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError
from backstay_api.client.http import HttpApi
from backstay_api.client.transport import ApiConfig
from backstay_api.objects.join_tokens import JoinToken, NoJoinToken, read_line

from .exchange import Refused, claim, own_token, spend
from .preflight import UNIT, obstacles, this_machine

LONGEST_LINE: Final = 64 * 1024
LOOKS_A_SECOND: Final = 10
HELD_S: Final = 30
"""How long the first lease is waited for: an operator makes it, within a second or two."""


@dataclass(frozen=True)
class Places:
    """Where things are on this machine."""

    config: Path
    state_dir: Path = Path("/var/lib/backstay")
    policy: Path = FOLDER

    @property
    def folder(self) -> Path:
        return self.config.parent


def join(source: str, places: Places, uuid_file: str, *, with_policy: bool = False) -> int:
    """`source`: a file with the line, or `-`. 0: this machine is the host; 1: a sentence says why not, 2: everything that stands in the way."""
    try:
        token = read_line(_text(source))
        uuid_file = uuid_file or str(_present(places.config).get("machine_uuid_file", ""))
        wrong = list(obstacles(this_machine(*_enrolled_as(places)), token, uuid_file))
        if wrong:
            for one in wrong:
                _say(f"cannot join: {one}")
            return 2
        if with_policy:  # before an agent could be told of any service
            _say(must_have_policy(places))
        warning = asyncio.run(_exchanged(token, places, uuid_file))
    except (NoJoinToken, Refused, ApiError, OSError) as error:
        _say(f"not joined: {error}")
        return 1
    if warning:
        _say(f"the join token could not be ended at once, and ends by itself within the hour: {warning}")
    _begin()
    _say(f"this machine is {token.host}: {asyncio.run(_how_it_stands())}")
    return 0


def must_have_policy(places: Places) -> str:
    """From now on: that somebody removes the folder is then no permission. What was done, in a sentence. Raises OSError."""
    text = "joined with --policy: without this file, and without a policy, services may bring whatever they like\n"
    replace_file(places.state_dir / REQUIRED.name, text)
    return first_policy(places.policy)


async def _exchanged(token: JoinToken, places: Places, uuid_file: str) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".crt") as ca:
        ca.write(token.ca)
        ca.flush()
        known = ApiConfig(
            servers=token.servers,
            ca_file=ca.name if token.ca else "",
            server_name=token.server_name,
            cluster=token.cluster,
            token=lambda: token.token,
            user_agent="backstay-agent",
        )
        api = HttpApi(known, rng=random.Random())
        try:
            return await exchanged(api, token, places, uuid_file)
        finally:
            await api.close()


async def exchanged(api: Api, token: JoinToken, places: Places, uuid_file: str) -> str:
    """Claim, get, keep, spend: in this order, so that whatever ends it half-way it can be begun again with the same line."""
    await claim(api, token, machine_uuid(uuid_file))
    keep(places, token, await own_token(api, token.host), uuid_file)
    return await spend(api, token.host)


def keep(places: Places, token: JoinToken, own: str, uuid_file: str) -> None:
    """Write the host's token, the CA and `agent.json`; what an admin wrote there beside that stays."""
    places.folder.mkdir(parents=True, exist_ok=True)
    places.folder.chmod(0o700)
    names = {"token_file": "token", "ca_file": "ca.crt"} if token.ca else {"token_file": "token"}
    said: dict[str, Any] = {"host": token.host, "servers": list(token.servers)}
    said |= {key: str(places.folder / name) for key, name in names.items()}
    said |= {"server_name": token.server_name} if token.server_name else {}
    said |= {"machine_uuid_file": uuid_file} if uuid_file else {}
    ours = ("host", "servers", "server_name", "token_file", "ca_file")
    others = {key: value for key, value in _present(places.config).items() if key not in ours}
    replace_file(places.folder / "token", own)
    if token.ca:
        replace_file(places.folder / "ca.crt", token.ca)
    if token.cluster:
        replace_file(_state_dir(places) / CLUSTER, f"{token.cluster}\n")
    else:
        (_state_dir(places) / CLUSTER).unlink(missing_ok=True)
    replace_file(places.config, json.dumps({**others, **said}, indent=2) + "\n")


def _present(config: Path) -> dict[str, Any]:
    try:
        found = json.loads(config.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _enrolled_as(places: Places) -> tuple[str, str]:
    """The Host that this machine is, and of which cluster; empty: none, or nobody said."""
    state = _state_dir(places)
    return kept(state / HOST), kept(state / CLUSTER)


def _state_dir(places: Places) -> Path:
    """Where the agent that will read it keeps its state: an admin may have said another folder."""
    return Path(str(_present(places.config).get("state_dir", places.state_dir)))


def _text(source: str) -> str:
    if source == "-":
        return sys.stdin.read(LONGEST_LINE)
    with Path(source).open() as file:
        return file.read(LONGEST_LINE)


def _begin() -> None:
    if sleep_obstacle():
        _systemctl("mask", "--quiet", *SLEEP_TARGETS)
    _systemctl("enable", "--quiet", UNIT)
    # It may run already, with a token and servers of before.
    _systemctl("restart", UNIT)


async def _how_it_stands() -> str:
    """What the agent says of itself, once it holds its lease, or after a while."""
    said = ""
    for _ in range(HELD_S * LOOKS_A_SECOND):
        said = _systemctl("show", "--property=StatusText", "--value", UNIT)
        if "lease held" in said:
            break
        await asyncio.sleep(1 / LOOKS_A_SECOND)
    return said or f"its agent says nothing yet: systemctl status {UNIT}"


def _systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], check=True, timeout=120, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def _say(text: str) -> None:
    print(f"backstay-agent: {text}", file=sys.stderr)
