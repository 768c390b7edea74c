"""Joining: what stands in the way is told at once, and a join token makes one machine the host."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.config import read_config
from backstay_agent.join.exchange import Refused, claim
from backstay_agent.join.joining import Places, exchanged, keep
from backstay_agent.join.preflight import Candidate, ServerAnswer, obstacles
from backstay_api.client.errors import Unauthorized
from backstay_api.memory.server import MemoryApi, MemoryCluster
from backstay_api.objects.join_tokens import CLAIMED_BY, JoinToken, NoJoinToken, read_line
from backstay_api.objects.kinds import SECRETS, token_requests
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.names import LONGEST_TOKEN_S
from backstay_dev.simulator.virtualtime import run

TOKEN = JoinToken("n1", ("https://192.0.2.1:6443",), "-----BEGIN CERTIFICATE-----\n", "secret-token", cluster="uid-a")
MINE = "4c4c4544-0042-3510-8052-b4c04f4d3132"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


# --- the line --------------------------------------------------------------------------------------------------------


def test_the_line_says_all_of_it() -> None:
    line = TOKEN.line()
    assert line.startswith("bs1.") and len(line.split()) == 1
    assert read_line(f" {line}\n") == TOKEN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "nothing came", id="the other side of the pipe failed"),
        pytest.param("eyJhbGciOi", "single line that begins with bs1.", id="another token"),
        pytest.param(TOKEN.line()[:60], "damaged", id="cut off"),
        pytest.param("bs1.e30", "damaged", id="of nothing"),
        pytest.param("bs1.bnVsbA", "damaged", id="null"),
        pytest.param(f"{TOKEN.line()} x", "single line", id="more than it"),
    ],
)
def test_what_is_no_line_of_ours_is_told_without_its_secret(text: str, said: str) -> None:
    with pytest.raises(NoJoinToken, match=said) as told:
        read_line(text)
    assert "secret-token" not in str(told.value) and TOKEN.line()[4:40] not in str(told.value)


# --- what stands in the way ------------------------------------------------------------------------------------------


@pytest.fixture
def uuid_file(tmp_path: Path) -> Path:
    file = tmp_path / "uuid"
    file.write_text(f"{MINE}\n")
    return file


def a_machine(root: Path, **other: Any) -> Candidate:
    """A fake of a machine on which nothing stands in the way, but for `other`."""
    for folder in ("run/systemd/system", "sys/fs/cgroup"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "sys/fs/cgroup/cgroup.controllers").touch()
    good = Candidate(
        systemctl=lambda *words: "systemd 252 (252.39)" if words == ("--version",) else "loaded\n",
        ask=lambda token, server: ServerAnswer(date=DATE),
        now=lambda: NOON,
        is_root=True,
        root=root,
        drivers=dict,
    )
    return replace(good, **other)


def broken_code() -> object:
    raise ImportError("no module named sdbus")


def test_a_good_machine_has_no_obstacle(tmp_path: Path, uuid_file: Path) -> None:
    assert list(obstacles(a_machine(tmp_path), TOKEN, str(uuid_file))) == []
    for cluster in ("uid-a", ""):
        again = a_machine(tmp_path, enrolled_as="n1", cluster=cluster)
        assert list(obstacles(again, TOKEN, str(uuid_file))) == [], "joined before, as the same"
    other = a_machine(tmp_path, enrolled_as="n1", cluster="uid-b")
    assert list(obstacles(other, replace(TOKEN, cluster=""), str(uuid_file))) == [], "a token of before says no cluster"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        pytest.param({"is_root": False}, "must be root", id="no root"),
        pytest.param({"python": (3, 9)}, "Python 3.9 is too old", id="Python"),
        pytest.param({"systemctl": lambda *words: ""}, "systemd does not run this machine", id="no systemd"),
        pytest.param(
            {"systemctl": lambda *words: "systemd 239" if words == ("--version",) else "loaded"},
            "systemd 239 is too old: 249",
            id="systemd",
        ),
        pytest.param(
            {"systemctl": lambda *words: "systemd 252" if words == ("--version",) else "not-found"},
            "there is no unit backstay-agent.service: install the package",
            id="no unit",
        ),
        pytest.param({"drivers": broken_code}, "no module named sdbus", id="code"),
        pytest.param({"enrolled_as": "n7"}, "is the host n7 already, and this token is for n1", id="another host"),
        pytest.param(
            {"enrolled_as": "n1", "cluster": "uid-b"},
            "is the host n1 of another cluster already (uid-b; this token is of uid-a)",
            id="another cluster",
        ),
        pytest.param(
            {"ask": lambda token, server: ServerAnswer(why_not="its certificate is not good for us: expired")},
            "https://192.0.2.1:6443: its certificate is not good for us: expired",
            id="TLS",
        ),
        pytest.param(
            {"now": lambda: NOON.replace(minute=10)}, "clock is 600 s ahead of the API server's", id="a clock ahead"
        ),
        pytest.param({"now": lambda: NOON.replace(hour=11)}, "clock is 3600 s behind", id="a clock behind"),
    ],
)
def test_each_obstacle_is_a_sentence(tmp_path: Path, uuid_file: Path, other: dict[str, Any], said: str) -> None:
    (told,) = obstacles(a_machine(tmp_path, **other), TOKEN, str(uuid_file))
    assert said in told


@pytest.mark.parametrize(
    "uuid", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "x", ""]
)
def test_a_machine_needs_an_identity_of_its_own(tmp_path: Path, uuid_file: Path, uuid: str) -> None:
    uuid_file.write_text(uuid)
    (told,) = obstacles(a_machine(tmp_path), TOKEN, str(uuid_file))
    assert "uuid" in told.lower()


def test_a_server_in_clear_is_not_asked(tmp_path: Path, uuid_file: Path) -> None:
    asked: list[str] = []
    machine = a_machine(tmp_path, ask=lambda token, server: asked.append(server))
    (told,) = obstacles(machine, replace(TOKEN, servers=("http://192.0.2.1:6443",)), str(uuid_file))
    assert "is not encrypted" in told and asked == []


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    machine = a_machine(
        tmp_path,
        is_root=False,
        python=(3, 9),
        systemctl=lambda *words: "",
        drivers=broken_code,
        enrolled_as="n7",
        ask=lambda token, server: ServerAnswer(why_not="cannot be reached from here"),
    )
    (tmp_path / "sys/fs/cgroup/cgroup.controllers").unlink()
    assert len(list(obstacles(machine, TOKEN, str(tmp_path / "no-uuid")))) == 8


# --- the exchange ----------------------------------------------------------------------------------------------------


class Server(MemoryCluster):
    """A cluster in memory that makes tokens (a fake: it only remembers who asked for what)."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []
        secret = {"metadata": {"name": "backstay-join-n1", "namespace": NAMESPACE}, "type": "backstay.dev/host-join"}
        self.create(SECRETS, NAMESPACE, SECRETS.to_wire(secret))

    def claimed_by(self) -> str:
        meta = self.get(SECRETS, NAMESPACE, "backstay-join-n1")["metadata"]
        return str((meta.get("annotations") or {}).get(CLAIMED_BY, ""))


class HostApi(MemoryApi):
    before: Callable[[Server], object] = staticmethod(lambda server: None)

    async def create(self, kind: Any, obj: Any, namespace: str = "", *, timeout_s: float | None = None) -> Any:
        assert kind.plural == token_requests("backstay-host-n1").plural and namespace == NAMESPACE
        self.server.asked.append(obj["spec"])
        return {"status": {"token": "own-token"}}

    async def patch(self, *given: Any, **named: Any) -> Any:
        self.before(self.server)
        return await super().patch(*given, **named)

    server: Server


def an_api(server: Server) -> HostApi:
    api = HostApi(server)
    api.server = server
    return api


def test_a_token_is_claimed_exchanged_and_spent(tmp_path: Path, uuid_file: Path) -> None:
    server, places = Server(), Places(tmp_path / "etc" / "agent.json", tmp_path / "state")
    assert run(exchanged(an_api(server), TOKEN, places, str(uuid_file))) == ""
    bound = {"kind": "Secret", "apiVersion": "v1", "name": "backstay-host-n1"}
    assert server.asked == [{"expirationSeconds": LONGEST_TOKEN_S, "boundObjectRef": bound}]
    assert server.bodies(SECRETS) == [], "the join token is nobody's"
    folder = places.folder
    assert (tmp_path / "state" / "cluster").read_text() == "uid-a\n"
    assert (folder / "token").read_text() == "own-token" and (folder / "ca.crt").read_text() == TOKEN.ca
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert json.loads(places.config.read_text()) == {
        "host": "n1",
        "servers": ["https://192.0.2.1:6443"],
        "token_file": str(folder / "token"),
        "ca_file": str(folder / "ca.crt"),
        "machine_uuid_file": str(uuid_file),
    }


def test_a_second_machine_is_told_which_one_was_first(tmp_path: Path, uuid_file: Path) -> None:
    server, places = Server(), Places(tmp_path / "etc" / "agent.json", tmp_path / "state")
    run(claim(an_api(server), TOKEN, "another-uuid"))
    with pytest.raises(Refused, match=r"used by another machine, with the UUID another-uuid.*backstay host revoke n1"):
        run(exchanged(an_api(server), TOKEN, places, str(uuid_file)))
    assert server.claimed_by() == "another-uuid" and server.asked == [] and not places.folder.exists()


def test_of_two_at_once_one_is_refused() -> None:
    """Both have read that nobody has it; the other's claim comes first."""
    server = Server()
    api = an_api(server)
    name = (NAMESPACE, "backstay-join-n1")
    api.before = lambda found: found.patch(SECRETS, name, {"metadata": {"annotations": {CLAIMED_BY: "faster"}}})
    with pytest.raises(Refused, match="with the UUID faster"):
        run(claim(api, TOKEN, MINE))


def test_the_same_machine_may_begin_again(tmp_path: Path, uuid_file: Path) -> None:
    server, places = Server(), Places(tmp_path / "etc" / "agent.json", tmp_path / "state")
    run(claim(an_api(server), TOKEN, MINE))
    run(exchanged(an_api(server), TOKEN, places, str(uuid_file)))
    assert len(server.asked) == 1


@pytest.mark.parametrize("is_refused", [False, True], ids=["its Secret is gone", "it is not accepted any more"])
def test_a_token_that_is_used_up_names_what_that_may_mean(is_refused: bool) -> None:
    server = Server()
    server.delete(SECRETS, (NAMESPACE, "backstay-join-n1"))
    api = an_api(server)
    if is_refused:
        api.get = refused  # type: ignore[method-assign]
    with pytest.raises(Refused, match=r"used up, or has ended.*If you have not used it, somebody else has"):
        run(claim(api, TOKEN, MINE))


async def refused(*given: object, **named: object) -> Any:
    raise Unauthorized("no")


def test_what_an_admin_wrote_stays(tmp_path: Path) -> None:
    places = Places(tmp_path / "agent.json", tmp_path / "state")
    places.config.write_text(json.dumps({"mount_roots": ["/data"], "server_name": "old", "servers": ["https://x"]}))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "cluster").write_text("of before")
    keep(places, replace(TOKEN, ca="", cluster=""), "t", "")
    assert json.loads(places.config.read_text()) == {
        "mount_roots": ["/data"],
        "host": "n1",
        "servers": list(TOKEN.servers),
        "token_file": str(tmp_path / "token"),
    }
    assert list((tmp_path / "state").iterdir()) == [], "whoever made this token does not say of which cluster it is"


def test_the_agent_knows_its_cluster_again(tmp_path: Path) -> None:
    places = Places(tmp_path / "agent.json", tmp_path / "unused")
    places.config.write_text(json.dumps({"state_dir": str(tmp_path / "state")}))  # an admin has put it elsewhere
    keep(places, TOKEN, "t", "")
    assert read_config(places.config).api.cluster == "uid-a"
    assert not places.state_dir.exists()
