"""How one probe is asked on a real host: a row for each kind of question, and what only the resource's own driver can ask is left to it."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from backstay_agent.run.probes import NotAsked
from backstay_api.objects.plain import Probe, TcpSocket
from backstay_api.objects.probe_kinds import kind_of

from .connections import LOCALHOST, connection, words_of
from .grpc_health import ask_grpc
from .programs import ask_program
from .web import ask_http

_OURS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
"""What we ourselves lack when a question cannot be put."""
Own = Callable[[Probe], Awaitable[str | None]]
"""Asks what only the driver of the probe's resource can."""


async def _ask_tcp(wanted: TcpSocket) -> str | None:
    async with connection(wanted.host or LOCALHOST, wanted.port):
        return None


# By field: asks once; None if the answer is good, else why not. It may raise OSError, and bears being cancelled.
QUESTIONS: Final[Mapping[str, Callable[[Any], Awaitable[str | None]]]] = {
    "tcp_socket": _ask_tcp,
    "http_get": ask_http,
    "grpc": ask_grpc,
    "exec": lambda wanted: ask_program(wanted.command),
}


async def _nobody(probe: Probe) -> str | None:
    return "this kind of probe is not supported yet"


class RealAsker:
    """`probes.Asker` on this very host."""

    def __init__(self, own: Own = _nobody) -> None:
        self._own = own

    async def ask(self, probe: Probe) -> str | None:
        kind, wanted = kind_of(probe)
        question = QUESTIONS.get(kind.field)
        try:
            return await (question(wanted) if question else self._own(probe))
        except TimeoutError:
            raise  # nobody has answered
        except OSError as error:
            if error.errno in _OURS:
                raise NotAsked(words_of(error)) from error
            return words_of(error)
