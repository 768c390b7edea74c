"""A connection for one question, with TLS if that is asked for: closed at once when the question is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from backstay_agent.threads import shared
from backstay_api.objects.plain import Tls

if TYPE_CHECKING:
    import ssl

LOCALHOST: Final = "127.0.0.1"
UNCHECKED: Final = Tls(insecure_skip_verify=True)


@asynccontextmanager
async def connection(
    host: str, port: int, tls: Tls | None = None, *, speaks: Sequence[str] = ()
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Raises OSError. `speaks`: the protocols that are offered in TLS (ALPN)."""
    # Its files may lie on a server that is dead: one thread hangs there, however often it is asked.
    context = await shared(("tls", tls, tuple(speaks)), _context, tls, speaks) if tls else None
    name = (tls.server_name or host) if tls else None
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    try:
        yield reader, writer
    finally:
        # At once: a server that does not close its side must not hold the probe.
        transport: Any = writer.transport
        transport.abort()


def authority(host: str, port: int) -> str:
    """As a request names the server."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def words_of(error: OSError) -> str:
    """What has gone wrong, for people."""
    refused = getattr(error, "verify_message", "")
    if refused:
        return f"its certificate is not accepted: {refused}"
    return str(error) or "it closed the connection"


def _context(tls: Tls, speaks: Sequence[str]) -> ssl.SSLContext:
    import ssl  # 2 MB that most hosts never need

    for file in filter(None, (tls.ca_file, tls.cert_file, tls.key_file)):
        Path(file).open("rb").close()  # ssl would not say which is missing
    if tls.insecure_skip_verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    if speaks:
        context.set_alpn_protocols(list(speaks))
    return context
