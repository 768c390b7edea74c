"""A real control plane on loopback: etcd and kube-apiserver as child processes, ready within a few seconds.

    with ControlPlane(state_dir) as plane:      # or start() / stop()
        plane.kubectl("get", "namespaces")
        plane.kubeconfig_for("backstay-system", "backstay-operator")   # exactly that ServiceAccount's rights
        plane.kill_apiserver(); plane.start_apiserver()                # the data stays

Everybody authenticates with a bearer token (`token_for`), so a relay in between can pass them on. RBAC, priority and
fairness, CEL and the audit log (one JSON line a request, `audit()`) are on. There is no controller manager: nobody
collects garbage, makes default ServiceAccounts or fills aggregated ClusterRoles (`view`, `edit`, `admin` are empty).
"""

import http.client
import json
import secrets
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import yaml

from backstay_dev.lab.assets import Assets, ensure_assets
from backstay_dev.lab.pki import Authority
from backstay_dev.lab.shell import Child, LabError, Progress, call, silent, spawn, wait_until

# One line a request, with who, verb, what and the answer's code: enough to compare roles with what was really used.
AUDIT_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # The begin of an answer is logged only for watches: one that still stands when its server is killed was used too.
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
        {"level": "Metadata"},
    ],
}
_GROUP_OF_ADMINS: Final = "system:masters"


class ControlPlane:
    def __init__(
        self,
        state: Path,
        *,
        assets: Assets | None = None,
        progress: Progress = silent,
        also_known_as: Sequence[str] = (),
    ) -> None:
        """`also_known_as`: more names and addresses (a relay's) for which `server_pair` shall be valid."""
        self._state = state
        self._progress = progress
        self.assets = assets or ensure_assets(progress)
        state.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(state / "pki")
        self.server_pair = self.authority.issue(
            "apiserver", ["127.0.0.1", "::1", "localhost", "kubernetes.default.svc", *also_known_as]
        )
        self._signing_key = self.authority.signing_key("service-accounts")
        self.admin_token = secrets.token_urlsafe(24)
        self._etcd_ports = (free_port(), free_port())
        self.port = free_port()
        self._etcd: Child | None = None
        self._apiserver: Child | None = None
        self._write_files()

    def __enter__(self) -> "ControlPlane":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Life and death

    def start(self) -> None:
        """Start both and come back when the server says that it is ready."""
        self._progress("starting etcd and kube-apiserver")
        self.start_etcd()
        self.start_apiserver()

    def stop(self) -> None:
        self.kill_apiserver()
        self.kill_etcd()

    def start_etcd(self) -> None:
        if self._etcd is None:
            self._etcd = spawn("etcd", self._etcd_command(), self._state)

    def start_apiserver(self, *, wait: bool = True) -> None:
        if self._apiserver is None:
            self._apiserver = spawn("kube-apiserver", self._apiserver_command(), self._state)
        if wait:
            self.wait_ready()

    def kill_etcd(self) -> None:
        """SIGKILL; what was written stays on disk."""
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd = None

    def kill_apiserver(self) -> None:
        """SIGKILL, as when its machine dies."""
        if self._apiserver is not None:
            self._apiserver.kill()
            self._apiserver = None

    def wait_ready(self, *, timeout_s: float = 60.0) -> None:
        def ready_or_dead() -> bool:
            for child in (self._etcd, self._apiserver):
                if child is not None and not child.running:
                    raise LabError(f"{child.name} ended at once; its last words:\n{child.last_words()}")
            return self._is_ready()

        wait_until(ready_or_dead, timeout_s=timeout_s, what="readiness of kube-apiserver", every_s=0.05)

    @property
    def children(self) -> Mapping[str, Child]:
        """What runs now, by name: for measuring and for pausing."""
        return {child.name: child for child in (self._etcd, self._apiserver) if child is not None}

    # Ways in

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.authority.cert_file

    @property
    def admin_kubeconfig(self) -> Path:
        return self._state / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self._state / "audit.jsonl"

    def audit(self) -> Iterator[dict[str, Any]]:
        """Every request that was answered so far. A line still being written is left out."""
        if not self.audit_log.exists():
            return
        with self.audit_log.open(encoding="utf-8") as lines:
            for line in lines:
                with suppress(ValueError):
                    yield json.loads(line)

    def kubectl(self, *arguments: str | Path, stdin: str | None = None, timeout_s: float = 60.0) -> str:
        """As the administrator; a failure is a LabError with kubectl's words."""
        return call(
            self.assets.kubectl,
            "--kubeconfig",
            self.admin_kubeconfig,
            *arguments,
            stdin=stdin,
            timeout_s=timeout_s,
        )

    def helm(self, *arguments: str | Path, timeout_s: float = 120.0) -> str:
        return call(
            self.assets.helm, *arguments, "--kubeconfig", self.admin_kubeconfig, timeout_s=timeout_s, cwd=self._state
        )

    def request(self, method: str, path: str, body: object = None, *, timeout_s: float = 10.0) -> dict[str, Any]:
        """One raw call as the administrator, without the 50 ms that a kubectl costs."""
        status, answer = self._exchange(method, path, body, timeout_s)
        if status >= 400:
            raise LabError(f"{method} {path}: {status}: {answer[:600].decode(errors='replace')}")
        result: dict[str, Any] = json.loads(answer)
        return result

    def token_for(self, namespace: str, name: str, *, lifetime_s: int = 86_400, secret: str = "") -> str:
        """A token of this ServiceAccount, from the TokenRequest API: with it you are it and nobody else. Bound to that Secret."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        spec: dict[str, Any] = {"expirationSeconds": lifetime_s}
        if secret:
            spec["boundObjectRef"] = {"kind": "Secret", "apiVersion": "v1", "name": secret}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self.request("POST", path, body)["status"]["token"])

    def kubeconfig_for(self, namespace: str, name: str, *, server: str | None = None) -> Path:
        """A kubeconfig file with exactly the rights of this ServiceAccount; `server`: through a relay instead."""
        target = self._state / f"{namespace}.{name}.kubeconfig"
        write_kubeconfig(target, server or self.url, self.ca_file, self.token_for(namespace, name), namespace)
        return target

    # Below: how.

    def _write_files(self) -> None:
        tokens = self._state / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{self.admin_token},lab-admin,lab-admin,"{_GROUP_OF_ADMINS}"\n')
        (self._state / "audit-policy.yaml").write_text(json.dumps(AUDIT_POLICY))
        write_kubeconfig(self.admin_kubeconfig, self.url, self.ca_file, self.admin_token)

    def _etcd_command(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{port}" for port in self._etcd_ports)
        return [
            str(self.assets.etcd),
            "--name=lab",
            f"--data-dir={self._state / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=lab={peer}",
            # Killed processes keep what they wrote; only a power cut of this very machine would lose it.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver_command(self) -> list[str]:
        return [
            str(self.assets.kube_apiserver),
            f"--etcd-servers=http://127.0.0.1:{self._etcd_ports[0]}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self.port}",
            f"--tls-cert-file={self.server_pair.cert}",
            f"--tls-private-key-file={self.server_pair.key}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self._state / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._signing_key}",
            f"--service-account-signing-key-file={self._signing_key}",
            "--service-account-extend-token-expiration=false",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--audit-policy-file={self._state / 'audit-policy.yaml'}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-mode=blocking",
            "--profiling=false",
            "--v=1",
        ]

    def _is_ready(self) -> bool:
        try:
            return self._exchange("GET", "/readyz", None, 2.0)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _exchange(self, method: str, path: str, body: object, timeout_s: float) -> tuple[int, bytes]:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout_s, context=context)
        headers = {"Authorization": f"Bearer {self.admin_token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def write_kubeconfig(target: Path, server: str, ca_file: Path, token: str, namespace: str = "default") -> None:
    """Self-contained (the authority's certificate is inside), readable by its owner only."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority": str(ca_file)}}],
        "users": [{"name": "lab", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab", "namespace": namespace}}],
    }
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump(content))


def free_port(address: str = "127.0.0.1", kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody has now; there is a small chance that somebody takes it before we do."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
