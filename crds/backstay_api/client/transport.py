"""Connections to the API servers: which server, with which credentials, and which connection may be used again.

Each lane has its own connections, so that a stuck status write never delays a lease.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from backstay_api.client.api import DEFAULT_TIMEOUT_S
from backstay_api.client.errors import Unreachable
from backstay_api.client.http_wire import Broken, Connection, Target

# API servers close idle connections after 90 s or more, load balancers often after 60 s. A request that meets the
# close half-way has an unknown outcome, so connections are retired well before.
MAX_IDLE_S: Final = 30.0
CLUSTER_PATH: Final = "/api/v1/namespaces/kube-system"
"""What a cluster is known by: this namespace is made with it, and never again."""
_LARGEST_NAMESPACE: Final = 1 << 20


@dataclass(frozen=True)
class ApiConfig:
    """Where the API servers are, and who we are there. Paths, not contents: the files are read again as they change."""

    servers: tuple[str, ...]
    """`https://host:port[/prefix]`; the next one is tried where a connection fails."""
    ca_file: str = ""
    token_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    """The name in the server's certificate, where it is not that of the address."""
    cluster: str = ""
    """UID of the namespace `kube-system`: a server of another is asked that under our name, and told nothing more. Empty: whichever it is."""
    token: Callable[[], str] | None = None
    """Gives the present bearer token, in place of `token_file`; called for every new connection."""
    user_agent: str = "backstay"
    as_user: str = ""
    """Act as this user, as far as our own rights allow that (`impersonate`)."""
    as_groups: tuple[str, ...] = ()
    """And as a member of these."""
    timeout_s: float = DEFAULT_TIMEOUT_S
    connections_per_lane: int = 16
    chunk: int = 500
    """Objects in one part of a list."""
    max_answer_bytes: int = 64 * 1024 * 1024
    watch_lifetime_s: tuple[int, int] = (300, 600)
    """The server is asked to end a watch after a random time between these, so that load spreads over servers."""

    def authorization(self) -> str:
        """The Authorization header for a new connection, empty for none; raises OSError for an unreadable file."""
        token = self.token() if self.token else self._token_from_file()
        if not token.isprintable():
            raise OSError(f"{self.token_file or 'the credentials'}: not a bearer token")
        return f"Bearer {token}" if token else ""

    def impersonation(self) -> list[tuple[str, str]]:
        """Headers that say who we act as."""
        named = [("Impersonate-User", self.as_user)] if self.as_user else []
        named += [("Impersonate-Group", group) for group in self.as_groups]
        assert all(name.isascii() and name.isprintable() for _, name in named), f"no header can carry {named}"
        return named

    def _token_from_file(self) -> str:
        return Path(self.token_file).read_text().strip() if self.token_file else ""


class Dialer:
    """Opens connections, to the server that worked last or the next one that does."""

    def __init__(self, config: ApiConfig) -> None:
        assert config.servers, "no API server is configured"
        self.config = config
        self._targets = [_target(url) for url in config.servers]
        self._first = 0
        self._recognised: set[Target] = set()
        """Servers that are of our cluster, or may not say."""
        self._tls: ssl.SSLContext | None = None
        self._tls_files_at: tuple[int, ...] = ()

    async def dial(self, *, until_s: float) -> Connection:
        """A new connection; `Unreachable` when no server can be connected to until then (on the loop's clock)."""
        loop = asyncio.get_running_loop()
        failures = []
        for left in range(len(self._targets), 0, -1):
            target = self._targets[self._first]
            try:
                async with asyncio.timeout((until_s - loop.time()) / left):
                    if self.config.cluster and target not in self._recognised:
                        await self._recognise(target)
                    return await self._open(target)
            except TimeoutError:
                failures.append(f"{target.authority}: no connection in time")
            except OSError as error:
                failures.append(f"{target.authority}: {error}")
            self.blame(target)
        raise Unreachable("; ".join(failures))

    async def _open(self, target: Target) -> Connection:
        return await Connection.open(
            target,
            authorization=self.config.authorization(),
            tls=self._context() if target.tls else None,
            server_name=self.config.server_name,
        )

    async def _recognise(self, target: Target) -> None:
        """Ask a server which cluster it is of, before anything else is. Raises OSError: of another, or it does not say.

        Who is refused here (401, 403: an identity of an earlier release may not look) is refused nothing more by us.
        """
        connection = await self._open(target)
        try:
            await connection.send("GET", CLUSTER_PATH, headers=[("User-Agent", self.config.user_agent)], body=b"")
            head = await connection.head()
            body = await connection.body(head, limit_bytes=_LARGEST_NAMESPACE)
        except Broken as broken:
            raise OSError(f"it does not say which cluster it is of: {broken}") from broken
        finally:
            connection.abort()
        if head.status not in (401, 403):
            _must_be(self.config.cluster, head.status, body)
        self._recognised.add(target)

    def blame(self, target: Target) -> None:
        """Something went wrong with this server: begin with the next one."""
        if self._targets[self._first] == target:
            self._first = (self._first + 1) % len(self._targets)

    def _context(self) -> ssl.SSLContext:
        """Built anew when one of its files has changed: certificates rotate."""
        config = self.config
        files_at = tuple(
            Path(path).stat().st_mtime_ns for path in (config.ca_file, config.cert_file, config.key_file) if path
        )
        if self._tls is None or files_at != self._tls_files_at:
            # Not create_default_context(): since Python 3.13 that is strict about extensions older cluster CAs lack.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if config.ca_file:
                context.load_verify_locations(config.ca_file)
            else:
                context.load_default_certs()
            if config.cert_file:
                context.load_cert_chain(config.cert_file, config.key_file or None)
            self._tls, self._tls_files_at = context, files_at
        return self._tls


class Lane:
    """A few connections of one purpose, each used by one request at a time."""

    def __init__(self, dialer: Dialer) -> None:
        self.dialer = dialer
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(dialer.config.connections_per_lane)

    async def take(self, *, until_s: float) -> Connection:
        """A connection that is new or proven idle. Give it back with `put` or `drop`."""
        await self._room.acquire()
        try:
            return self._take_idle() or await self.dialer.dial(until_s=until_s)
        except BaseException:
            self._room.release()
            raise

    def put(self, connection: Connection) -> None:
        """Back after a whole answer."""
        self._room.release()
        connection.idle_since_s = asyncio.get_running_loop().time()
        self._idle.append(connection)

    def drop(self, connection: Connection) -> None:
        """Never again: half used, or the server wants it closed."""
        self._room.release()
        connection.abort()

    def close(self) -> None:
        """Close what is idle: with credentials that are no longer accepted, or to a server that does not answer."""
        while self._idle:
            self._idle.pop().close()

    def _take_idle(self) -> Connection | None:
        now_s = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()  # the warmest first, so that the others age and go
            if connection.is_idle and now_s - connection.idle_since_s <= MAX_IDLE_S:
                return connection
            connection.close()
        return None


def _must_be(cluster: str, status: int, body: bytes) -> None:
    try:
        uid = str(json.loads(body)["metadata"]["uid"]) if status == 200 else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        uid = ""
    if not uid:
        raise OSError(f"it does not say which cluster it is of (answered {status})")
    if uid != cluster:
        raise OSError(f"it is an API server of another cluster: its kube-system has the UID {uid}, ours {cluster}")


def _target(url: str) -> Target:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    assert parts.hostname and parts.scheme in ("https", "http"), f"not the address of an API server: {url!r}"
    # What people configure is refused with a sentence (kubeconfig.py); this leaves room for tests' own servers only.
    assert tls or parts.hostname in ("127.0.0.1", "::1", "localhost"), f"{url} is not encrypted"
    return Target(parts.hostname, parts.port or (443 if tls else 80), tls, parts.path.rstrip("/"))
