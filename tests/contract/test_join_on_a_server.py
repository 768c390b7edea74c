"""Joining on a real API server, with exactly the rights of those who do it: one use, one machine, and an end within ten seconds."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backstay_agent.cluster.tokens import read_token, renew_token
from backstay_agent.join.exchange import Refused
from backstay_agent.join.joining import Places, exchanged
from backstay_agent.join.preflight import ServerAnswer, ask
from backstay_api.client.errors import ApiError, Unreachable
from backstay_api.client.http import HttpApi
from backstay_api.client.transport import ApiConfig
from backstay_api.objects import lease
from backstay_api.objects.join_tokens import JoinToken, read_line
from backstay_api.objects.names import LONGEST_TOKEN_S, SYSTEM_NAMESPACE
from backstay_api.objects.object_kinds import HOST_ASSIGNMENTS
from backstay_api.objects.rbac import FENCING_NAMESPACE
from backstay_cli.main import build
from backstay_cli.session import WELL
from backstay_dev.lab.controlplane import ControlPlane, write_kubeconfig
from backstay_dev.lab.shell import wait_until
from backstay_testing.agreement import Server
from contract.chart_scene import installed_in

pytestmark = pytest.mark.api

ADMINS = "backstay:host-admins"
UUIDS = ("11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with installed_in(tmp_path_factory.mktemp("joining")) as plane:
        yield plane


@pytest.fixture(scope="module")
def enroller(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of somebody who is bound to `backstay:host-admins`, as the chart does it, and to nothing else."""
    plane.kubectl("create", "serviceaccount", "enroller", "-n", "default")
    who = "--serviceaccount=default:enroller"
    plane.kubectl("create", "clusterrolebinding", "enroller", f"--clusterrole={ADMINS}", who)
    for namespace in (lease.NAMESPACE, FENCING_NAMESPACE):
        plane.kubectl("create", "rolebinding", "enroller", f"--role={ADMINS}", who, "-n", namespace)
    file = tmp_path_factory.mktemp("enroller") / "kubeconfig"
    write_kubeconfig(file, plane.url, plane.ca_file, plane.token_for("default", "enroller"))
    return file


def backstay(enroller: Path, *words: str) -> Result:
    return CliRunner().invoke(build(), ["--kubeconfig", str(enroller), *words])


def a_line(plane: ControlPlane, enroller: Path, host: str) -> JoinToken:
    """As the CLI prints it; hosts of a test reach the server where nobody else may."""
    assert backstay(enroller, "host", "add", host).exit_code == WELL
    answer = backstay(enroller, "host", "join-token", host, "--server", "https://192.0.2.1:6443")
    assert answer.exit_code == WELL, answer.output
    return replace(read_line(answer.stdout), servers=(plane.url,))


def join(token: JoinToken, folder: Path, uuid: str = UUIDS[0]) -> str:
    """What a machine with this UUID does with the line; the token that it has then."""
    folder.mkdir(exist_ok=True)
    (folder / "uuid").write_text(uuid)
    (folder / "join-ca").write_text(token.ca)

    async def carried_out() -> None:
        ca = str(folder / "join-ca")
        known = ApiConfig(servers=token.servers, ca_file=ca, token=lambda: token.token, cluster=token.cluster)
        api = HttpApi(known, rng=random.Random(1))
        try:
            assert (
                await exchanged(
                    api, token, Places(folder / "etc" / "agent.json", folder / "state"), str(folder / "uuid")
                )
                == ""
            )
        finally:
            await api.close()

    asyncio.run(carried_out())
    return (folder / "etc" / "token").read_text()


def code(plane: ControlPlane, token: str, path: str) -> int:
    server = Server(plane)
    server.headers["Authorization"] = f"Bearer {token}"
    return server.send("GET", path, {})[0]


def assignment(host: str) -> str:
    return f"/apis/backstay.dev/v1alpha1/hostassignments/{host}"


def test_one_machine_joins_and_a_second_one_is_refused(plane: ControlPlane, enroller: Path, tmp_path: Path) -> None:
    line = a_line(plane, enroller, "j1")
    own = join(line, tmp_path / "first")
    said = read_token(own)
    assert said and (said.account, said.life_s) == ("backstay-host-j1", LONGEST_TOKEN_S)
    assert code(plane, own, assignment("j1")) == 404 and code(plane, own, assignment("n1")) == 403
    with pytest.raises(Refused, match=r"used up, or has ended.*backstay host revoke j1"):
        join(line, tmp_path / "second", UUIDS[1])
    assert not (tmp_path / "second" / "etc").exists()
    dead = "the end of the join token, which the API server remembers for 10 s"
    wait_until(lambda: code(plane, line.token, assignment("j1")) == 401, timeout_s=15, what=dead)
    assert code(plane, own, assignment("j1")) == 404, "its own goes on"


def test_a_line_of_another_cluster_is_worth_nothing_here(plane: ControlPlane, enroller: Path, tmp_path: Path) -> None:
    """Two clusters with one CA: the line names which of them it is for."""
    line = a_line(plane, enroller, "j6")
    assert line.cluster == plane.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    with pytest.raises(Unreachable, match=f"another cluster: its kube-system has the UID {line.cluster}, ours b7"):
        join(replace(line, cluster="b7"), tmp_path / "m")
    assert not (tmp_path / "m" / "etc").exists()
    own = join(line, tmp_path / "m")
    assert (tmp_path / "m" / "state" / "cluster").read_text().strip() == line.cluster
    assert code(plane, own, "/api/v1/namespaces/kube-system") == 200, "its own role may ask which cluster it is"
    assert code(plane, own, "/api/v1/namespaces/default") == 403


def test_who_loses_the_race_is_told_which_machine_won(plane: ControlPlane, enroller: Path, tmp_path: Path) -> None:
    line = a_line(plane, enroller, "j2")
    claim = {"metadata": {"annotations": {"backstay.dev/claimed-by": UUIDS[1]}}}
    plane.kubectl("-n", lease.NAMESPACE, "patch", "secret", "backstay-join-j2", "--type=merge", "-p", json.dumps(claim))
    with pytest.raises(Refused, match=f"another machine, with the UUID {UUIDS[1]}"):
        join(line, tmp_path / "loser")
    rows = json.loads(backstay(enroller, "host", "list", "-o", "json").stdout)
    assert [row["joining"] for row in rows if row["host"] == "j2"] == [f"claimed by {UUIDS[1]}"]
    backstay(enroller, "host", "remove", "j2")


def test_a_revoked_host_is_dead_within_ten_seconds_and_comes_back(
    plane: ControlPlane, enroller: Path, tmp_path: Path
) -> None:
    own = join(a_line(plane, enroller, "j3"), tmp_path / "m")
    assert code(plane, own, assignment("j3")) == 404
    assert backstay(enroller, "host", "revoke", "j3").exit_code == WELL
    # Asked all the time, so that the server's memory of a good answer is at its longest.
    wait_until(lambda: code(plane, own, assignment("j3")) == 401, timeout_s=15, what="the end of the host's token")
    again = join(a_line(plane, enroller, "j3"), tmp_path / "m")
    assert code(plane, again, assignment("j3")) == 404
    assert code(plane, own, assignment("j3")) == 401, "the stolen one stays dead"


async def rotated_while_it_renews(plane: ControlPlane, enroller: Path, folder: Path) -> tuple[Result, list[str]]:
    """The command, beside an agent that keeps its token and asks for its own assignment without a pause; and what went wrong for it."""
    file = folder / "etc" / "token"
    config = ApiConfig(servers=(plane.url,), ca_file=str(plane.ca_file), token_file=str(file))
    keeping, asking = HttpApi(config, rng=random.Random(1)), HttpApi(config, rng=random.Random(2))
    wrong: list[str] = []

    async def ask() -> None:
        while True:
            try:
                await asking.get(HOST_ASSIGNMENTS, "j5")
            except ApiError as error:
                wrong.append(str(error))
            await asyncio.sleep(0)

    agent = [
        asyncio.create_task(renew_token(keeping, file, now_s=time.time, rng=random.Random(3), look_s=0.2)),
        asyncio.create_task(ask()),
    ]
    answer = await asyncio.to_thread(backstay, enroller, "host", "rotate", "j5")
    for task in agent:
        task.cancel()
    await asyncio.wait(agent)
    await keeping.close()
    await asking.close()
    return answer, wrong


def test_an_identity_is_made_anew_without_a_pause_and_the_old_token_is_dead(
    plane: ControlPlane, enroller: Path, tmp_path: Path
) -> None:
    old = join(a_line(plane, enroller, "j5"), tmp_path)
    made = {"apiVersion": "backstay.dev/v1alpha1", "kind": "HostAssignment", "metadata": {"name": "j5"}}
    plane.kubectl("create", "-f", "-", stdin=json.dumps(made))
    answer, wrong = asyncio.run(rotated_while_it_renews(plane, enroller, tmp_path))
    assert answer.exit_code == WELL and "j5 has its new identity" in answer.output, answer.output
    assert wrong == []
    new = (tmp_path / "etc" / "token").read_text()
    said = read_token(new)
    assert said and (said.identity, said.life_s) == ("backstay-host-j5", LONGEST_TOKEN_S) and new != old
    wait_until(lambda: code(plane, old, assignment("j5")) == 401, timeout_s=15, what="the end of the old token")
    assert code(plane, new, assignment("j5")) == 200
    gone = f"/api/v1/namespaces/{lease.NAMESPACE}/secrets/backstay-next-j5"
    assert code(plane, new, gone) == 404, "its own role may look, and nothing is left"


def test_a_join_token_is_good_for_its_host_only(plane: ControlPlane, enroller: Path) -> None:
    line = a_line(plane, enroller, "j4")
    for path in (
        "/api/v1/namespaces/backstay-hosts/secrets",
        "/api/v1/namespaces/backstay-hosts/secrets/backstay-host-j4",
    ):
        assert code(plane, line.token, path) == 403
    assert code(plane, line.token, f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets") == 403
    assert code(plane, line.token, assignment("n1")) == 403
    backstay(enroller, "host", "remove", "j4")


def test_a_server_is_known_by_its_certificate(plane: ControlPlane) -> None:
    good = JoinToken("n1", (plane.url,), plane.ca_file.read_text(), "t")
    assert ask(good, plane.url).date.endswith("GMT")
    assert "certificate is not good for us" in ask(replace(good, ca=""), plane.url).why_not
    named = replace(good, server_name="elsewhere.example")
    assert "certificate is not good for us" in ask(named, plane.url).why_not
    assert ask(replace(good, server_name="kubernetes.default.svc"), plane.url).why_not == ""
    closed = ask(good, "https://127.0.0.1:1", limit_s=1.0)
    assert isinstance(closed, ServerAnswer) and "cannot be reached" in closed.why_not
