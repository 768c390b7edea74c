"""The process that looks at file systems in the agent's stead: each look in a thread of its own, until nobody asks any more.

It holds nothing of the agent's, no lock and no connection: where a look hangs in the kernel, it is this process that cannot end.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
from contextlib import suppress
from threading import Lock, Thread
from typing import Final, NoReturn

HELLO: Final = b"."
"""Said first: from now on it looks."""


def main() -> NoReturn:
    """Answer what is asked by the socket that is its stdin."""
    # Whoever stops everything at a shutdown would end it too early: the agent looks until its own end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    asker, writing = socket.socket(fileno=0), Lock()
    with suppress(EOFError, OSError), asker.makefile("rb") as requests:
        asker.sendall(HELLO)
        while True:
            number, how = pickle.load(requests)
            Thread(target=_answer, args=(asker, writing, number, how), daemon=True).start()
    os._exit(0)  # what hangs is not waited for


def _answer(asker: socket.socket, writing: Lock, number: int, how: bytes) -> None:
    answer = pickle.dumps((number, _found(how)))
    with suppress(OSError), writing:  # nobody waits for it any more
        asker.sendall(answer)


def _found(how: bytes) -> bytes:
    """What the look returned, or what it raised."""
    try:
        # Not where requests come in: this imports modules, and it may be their disk that hangs.
        return pickle.dumps((pickle.loads(how)(), None))
    except BaseException as error:
        return pickle.dumps((None, error))
