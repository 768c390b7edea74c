"""Where the client learns whom to talk to: refusals are sentences, and the real thing connects."""

import ast
import asyncio
import json
import os
import random
import ssl
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from backstay_api.client.api import EventType
from backstay_api.client.errors import Forbidden, NotFound, Unreachable
from backstay_api.client.http import HttpApi
from backstay_api.client.informer import LEASE_BACKOFF, Informer, RetryPause
from backstay_api.client.kubeconfig import NoConfig, from_kubeconfig, in_cluster, namespace_of, of_agent
from backstay_api.client.transport import ApiConfig
from backstay_api.objects.kinds import (
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    token_requests,
)
from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.pki import Authority
from contract.scene import CONFIG_MAPS, NAMESPACES, server_config


def test_an_agent_is_configured_by_a_few_lines() -> None:
    config = of_agent({"servers": ["https://a:6443", "https://b:6443"], "ca_file": "/ca", "token_file": "/token"})
    assert (config.servers, config.ca_file) == (("https://a:6443", "https://b:6443"), "/ca")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", 'needs "servers"'),
        ('{"servers": []}', 'needs "servers"'),
        ('{"servers": ["10.0.0.1:6443"]}', "write https://host:port"),
        ('{"servers": ["https://"]}', "write https://host:port"),
        ('{"servers": ["https://a:6443", "http://b:6443"]}', "http://b:6443 is not encrypted.*write https://host:port"),
        ('{"servers": ["HTTP://a:6443"]}', "not encrypted"),
        ('{"servers": ["http://127.0.0.1:8001"]}', "not encrypted"),
        ('{"servers": ["https://a"], "insecure": true}', "unknown in the configuration: insecure"),
    ],
)
def test_a_bad_configuration_is_refused_with_a_sentence(text: str, why: str) -> None:
    with pytest.raises(NoConfig, match=why):
        of_agent(json.loads(text))


def test_a_missing_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NoConfig, match="kubeconfig"):
        from_kubeconfig(path=str(tmp_path / "no-such"))


def a_kubeconfig(path: Path, cluster: dict[str, object]) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "c", "user": {"token": "t"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c", "namespace": "shop"}}],
            }
        )
    )
    return path


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("root:x:0:0:root:/root:/bin/bash\n", id="some other file"),
        pytest.param("{[", id="no YAML"),
        pytest.param("- a\n", id="a list"),
        pytest.param("clusters: 5\ncurrent-context: c\n", id="clusters that are a number"),
        pytest.param("contexts: [{name: c}]\nclusters: []\nusers: []\ncurrent-context: c\n", id="half of one"),
        pytest.param("\x00", id="binary"),
    ],
)
def test_what_is_no_kubeconfig_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(NoConfig, match="no usable kubeconfig"):
        from_kubeconfig(path=str(path))


@pytest.mark.parametrize(
    ("host", "server"),
    [
        pytest.param("10.96.0.1", "https://10.96.0.1:443", id="v4"),
        pytest.param("fd00::1", "https://[fd00::1]:443", id="v6"),
    ],
)
def test_a_pod_knows_its_server_and_reads_its_token_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, server: str
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for name in ("ca.crt", "token"):
        with pytest.raises(NoConfig, match=f"there is no .*/{name}"):
            in_cluster(folder=tmp_path)
        (tmp_path / name).write_text("first\n")
    config = in_cluster(user_agent="x", folder=tmp_path)
    assert (config.servers, config.user_agent, config.ca_file) == ((server,), "x", str(tmp_path / "ca.crt"))
    assert config.authorization() == "Bearer first"
    (tmp_path / "token").write_text("renewed by the kubelet")
    assert config.authorization() == "Bearer renewed by the kubelet"


def test_outside_a_pod_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NoConfig, match="not inside a Pod: KUBERNETES_SERVICE_HOST"):
        in_cluster()


def test_where_nothing_reads_kubeconfigs_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the images."""
    monkeypatch.setitem(sys.modules, "kubernetes.client", None)
    with pytest.raises(NoConfig, match="the Python package kubernetes, which is not here"):
        from_kubeconfig(path=str(a_kubeconfig(tmp_path / "config", {"server": "https://192.0.2.1"})))


def test_an_unverified_server_is_not_obeyed(tmp_path: Path) -> None:
    cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}
    path = a_kubeconfig(tmp_path / "config", cluster)
    with pytest.raises(NoConfig, match="insecure-skip-tls-verify"):
        from_kubeconfig(path=str(path))
    assert namespace_of(path=str(path)) == "shop"


@pytest.mark.parametrize("server", ["http://192.0.2.1:8080", "http://127.0.0.1:8001", "HTTP://api.example:80"])
@pytest.mark.parametrize(
    "program", ["backstay_operator.main", "backstay_fencer.main", "backstay_cli.main status", "backstay_agent.main"]
)
def test_no_program_talks_to_a_server_in_clear(tmp_path: Path, server: str, program: str) -> None:
    module, *words = program.split()
    if module == "backstay_agent.main":
        path = tmp_path / "agent.json"
        path.write_text(json.dumps({"servers": [server]}))
        words = ["--config", str(path)]
    else:
        words += ["--kubeconfig", str(a_kubeconfig(tmp_path / "config", {"server": server}))]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in (0, None) and "is not encrypted" in done.stderr, done.stderr


def test_the_agents_part_of_the_client_is_small() -> None:
    """It runs on every host: no pydantic, no yaml, no official client, no HTTP library, no memory fake."""
    script = (
        "import json, sys; import backstay_api.client.http, backstay_api.client.informer, backstay_api.client.kubeconfig;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules} |"
        "{name for name in sys.modules if name.startswith('backstay_api')})))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    loaded = set(json.loads(said.stdout))
    unwanted = {
        "pydantic",
        "yaml",
        "kubernetes",
        "kopf",
        "aiohttp",
        "urllib3",
        "http",
        "email",
        "backstay_api.memory.server",
    }
    assert not loaded & unwanted


def test_imports_of_the_client_are_the_standard_librarys() -> None:
    folder = Path(__file__).parents[2] / "crds" / "backstay_api"
    own = (folder / "objects/kinds.py", folder / "objects/names.py")
    modules = [*own, *(folder / "client").glob("*.py"), *(folder / "memory").glob("s*.py")]
    for module in modules:
        tree = ast.parse(module.read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
        roots = {name.partition(".")[0] for name in imported} - {"backstay_api"}
        assert roots <= sys.stdlib_module_names, module.name


@pytest.mark.api
def test_a_kubeconfig_leads_to_the_server_and_carries_its_identity(control_plane: ControlPlane) -> None:
    async def story() -> None:
        admin = HttpApi(from_kubeconfig(path=str(control_plane.admin_kubeconfig)), rng=random.Random(1))
        assert await admin.get(NAMESPACES, "kube-system")
        await admin.create(NAMESPACES, {"metadata": {"name": "contract-identity"}})
        await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "nobody"}}, "contract-identity")
        path = control_plane.kubeconfig_for("contract-identity", "nobody")
        nobody = HttpApi(from_kubeconfig(path=str(path)), rng=random.Random(1))
        with pytest.raises(Forbidden, match="nobody"):
            await nobody.list(SECRETS, "contract-identity")
        asked = await admin.create(token_requests("nobody"), {"metadata": {}, "spec": {}}, "contract-identity")
        assert asked["status"]["token"]
        await admin.close()
        await nobody.close()

    asyncio.run(story())


@pytest.mark.api
def test_an_identity_that_may_see_one_object_by_name_can_follow_it(control_plane: ControlPlane) -> None:
    """An agent's RBAC is no more than this: `resourceNames` with its own name."""

    async def story() -> None:
        admin, space = HttpApi(server_config(control_plane), rng=random.Random(1)), "contract-agent"
        await admin.create(NAMESPACES, {"metadata": {"name": space}})
        await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "n1"}}, space)
        rule = {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["n1"],
            "verbs": ["get", "list", "watch"],
        }
        await admin.create(ROLES, {"metadata": {"name": "n1"}, "rules": [rule]}, space)
        role = {"apiGroup": ROLES.group, "kind": "Role", "name": "n1"}
        subject = {"kind": "ServiceAccount", "name": "n1", "namespace": space}
        await admin.create(ROLE_BINDINGS, {"metadata": {"name": "n1"}, "roleRef": role, "subjects": [subject]}, space)
        token = control_plane.token_for(space, "n1")
        agent = HttpApi(replace(server_config(control_plane), token=lambda: token), rng=random.Random(1))
        with pytest.raises(Forbidden):
            await agent.list(CONFIG_MAPS, space)
        informer = Informer(agent, CONFIG_MAPS, namespace=space, name="n1", rng=random.Random(1), backoff=LEASE_BACKOFF)
        told: asyncio.Queue[str] = asyncio.Queue()
        running = asyncio.create_task(informer.run(lambda event: told.put_nowait(f"{event.type} {event.meta.name}")))
        async with asyncio.timeout(30):
            await informer.synced.wait()
            for name in ("n2", "n1"):
                await admin.create(CONFIG_MAPS, {"metadata": {"name": name}}, space)
            assert await told.get() == "ADDED n1"
        running.cancel()
        await asyncio.wait([running])
        await admin.close()
        await agent.close()

    asyncio.run(story())


HALF_AN_HOUR = timedelta(minutes=30)


@pytest.mark.parametrize(
    ("ours", "name", "ends_in", "good"),
    [
        pytest.param(True, "127.0.0.1", HALF_AN_HOUR, True, id="ours"),
        pytest.param(True, "127.0.0.1", -HALF_AN_HOUR, False, id="expired"),
        pytest.param(True, "elsewhere.example", HALF_AN_HOUR, False, id="another name"),
        pytest.param(False, "127.0.0.1", HALF_AN_HOUR, False, id="another authority"),
    ],
)
def test_whatever_is_wrong_with_a_certificate_nothing_is_sent(
    tmp_path: Path, ours: bool, name: str, ends_in: timedelta, good: bool
) -> None:
    """A renewal of a Lease then fails as it does without an API server."""
    trusted, other = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    pair = (trusted if ours else other).issue("server", [name], ends_in=ends_in)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")

    async def story() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        api = HttpApi(
            ApiConfig(servers=(url,), ca_file=str(trusted.cert_file), token=lambda: "t"), rng=random.Random(1)
        )
        with pytest.raises(NotFound if good else Unreachable, match=r"(?i)certificate" if not good else None):
            await api.get(NAMESPACES, "default")
        await api.close()
        server.close()

    asyncio.run(story())
    assert len(seen) == good


@pytest.mark.api
def test_a_server_with_another_authority_is_not_believed(control_plane: ControlPlane, tmp_path: Path) -> None:
    async def story() -> None:
        wrong = HttpApi(server_config(control_plane, server_name="somebody.else"), rng=random.Random(1))
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            await wrong.get(NAMESPACES, "default")

    asyncio.run(story())


@pytest.mark.api
def test_a_cache_outlives_a_restart_of_the_api_server(control_plane: ControlPlane) -> None:
    async def story() -> None:
        api = HttpApi(server_config(control_plane), rng=random.Random(1))
        informer = Informer(api, CONFIG_MAPS, namespace="default", rng=random.Random(1), backoff=RetryPause(0.05, 0.2))
        told: asyncio.Queue[tuple[EventType, str]] = asyncio.Queue()
        running = asyncio.create_task(informer.run(lambda event: told.put_nowait((event.type, event.meta.name))))
        async with asyncio.timeout(60):
            await informer.synced.wait()
            await api.create(CONFIG_MAPS, {"metadata": {"name": "before"}}, "default")
            while await told.get() != (EventType.ADDED, "before"):
                pass
            await asyncio.to_thread(control_plane.kill_apiserver)
            await asyncio.to_thread(control_plane.start_apiserver)
            await api.delete(CONFIG_MAPS, "before", "default")
            while await told.get() != (EventType.DELETED, "before"):
                pass
        running.cancel()
        await asyncio.wait([running])
        await api.close()

    asyncio.run(story())
