"""Where our client learns the API server's address and its own credentials.

Operator, fencer and CLI take what the official `kubernetes` package finds in a kubeconfig (contexts, exec plugins), so they behave as
kubectl does; it is imported only when asked, and is no part of the images: inside a Pod there are three files and two variables. An agent
has a few lines of JSON instead.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from backstay_api.client.transport import ApiConfig

POD: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a Pod has what it is known by."""


class NoConfig(Exception):
    """There is no usable configuration; the message says what is missing."""


def load(*, path: str | None = None, context: str | None = None, user_agent: str = "backstay") -> ApiConfig:
    """Inside a Pod its ServiceAccount, else the kubeconfig: as kubectl does. A path or a context means kubeconfig."""
    if not path and not context and os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
        return in_cluster(user_agent=user_agent)
    return from_kubeconfig(path=path, context=context, user_agent=user_agent)


def from_kubeconfig(*, path: str | None = None, context: str | None = None, user_agent: str = "backstay") -> ApiConfig:
    """The configuration of a kubeconfig's context (the current one, unless named)."""
    client, config = _official()
    found = client.Configuration()
    with _read_by_others():
        config.load_kube_config(config_file=path, context=context, client_configuration=found)
    return replace(_from_official(found), user_agent=user_agent)


def in_cluster(*, user_agent: str = "backstay", folder: Path = POD) -> ApiConfig:
    """The configuration of a Pod's ServiceAccount. Its token is read anew for every connection: the kubelet renews it."""
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{one}", "") for one in ("HOST", "PORT"))
    if not host or not port:
        raise NoConfig("not inside a Pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    ca_file, token_file = folder / "ca.crt", folder / "token"
    for file in (ca_file, token_file):
        if not file.is_file():
            raise NoConfig(f"not inside a Pod, or one without its ServiceAccount's token: there is no {file}")
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    return ApiConfig(servers=(server,), ca_file=str(ca_file), token_file=str(token_file), user_agent=user_agent)


def namespace_of(*, path: str | None = None, context: str | None = None) -> str:
    """The namespace that a kubeconfig's context names, else `default`."""
    _, config = _official()
    with _read_by_others():
        contexts, current = config.list_kube_config_contexts(config_file=path)
    chosen = next((known for known in contexts if known["name"] == context), None) if context else current
    if chosen is None:
        raise NoConfig(f"the kubeconfig has no context {context!r}")
    return str(chosen["context"].get("namespace") or "default")


def of_agent(given: Mapping[str, Any]) -> ApiConfig:
    """An agent's configuration: `{"servers": ["https://…"], "ca_file": "…", "token_file": "…"}`, or client certificate."""
    allowed = {"servers", "ca_file", "token_file", "cert_file", "key_file", "server_name", "timeout_s"}
    if not given.get("servers"):
        raise NoConfig('the configuration needs "servers", a list of https addresses')
    if unknown := sorted(set(given) - allowed):
        raise NoConfig(f"unknown in the configuration: {', '.join(unknown)}; known: {', '.join(sorted(allowed))}")
    for url in given["servers"]:
        _refuse_in_clear(str(url))
    return ApiConfig(**{**given, "servers": tuple(given["servers"])}, user_agent="backstay-agent")


@contextmanager
def _read_by_others() -> Iterator[None]:
    """The official package checks nothing: of a file that is no kubeconfig it raises whatever its code stumbles over."""
    try:
        yield
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise NoConfig(f"no usable kubeconfig: {said or type(error).__name__}") from error


def _official() -> tuple[Any, Any]:
    """The official package's `client` and `config`: it costs 50 MB and most of a second, so only where it is wanted."""
    try:
        return importlib.import_module("kubernetes.client"), importlib.import_module("kubernetes.config")
    except ModuleNotFoundError as error:
        raise NoConfig(
            "a kubeconfig is read by the Python package kubernetes, which is not here (the images have none): "
            "run inside a Pod, or install it"
        ) from error


def _refuse_in_clear(url: str) -> None:
    """Loopback too: what listens there (a proxy, a tunnel) need not be what an admin thinks."""
    if urlsplit(url).scheme == "http":
        raise NoConfig(
            f"{url} is not encrypted: anybody on the way could read the token and say what shall run and be powered off; "
            "write https://host:port, and name the CA"
        )
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise NoConfig(f"not the address of an API server: {url!r}; write https://host:port")


def _from_official(found: Any) -> ApiConfig:
    if not found.verify_ssl:
        raise NoConfig(
            "insecure-skip-tls-verify is set in the kubeconfig: whoever powers hosts off must know which server says so; "
            "give the cluster's certificate-authority instead"
        )

    _refuse_in_clear(found.host)

    def token() -> str:
        # Runs the package's refresh hook: exec plugins.
        header = str(found.get_api_key_with_prefix("BearerToken", alias="authorization") or "")
        return header.split(" ", 1)[-1].strip()

    return ApiConfig(
        servers=(found.host,),
        ca_file=found.ssl_ca_cert or "",
        cert_file=found.cert_file or "",
        key_file=found.key_file or "",
        # Debian 12 has a version of the package that does not know it: then that server's certificate is refused.
        server_name=getattr(found, "tls_server_name", None) or "",
        token=token,
    )
