"""Only one agent on a host. Two would undo each other's stops: the one restarts what the other has just proven to be stopped.

Two locks: one in `/run`, and one on the state directory itself, which is still the same when someone has emptied `/run`.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


class AnotherAgent(Exception):
    """Somebody else holds the locks of this host's agent."""


@contextmanager
def alone(run_dir: Path, state_dir: Path, *, wait: bool) -> Iterator[None]:
    """Be the only agent of this host; wait for the end of another one, or raise AnotherAgent."""
    run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as locks:
        _lock(locks, run_dir / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, wait=wait)
        _lock(locks, state_dir, os.O_RDONLY | os.O_DIRECTORY, wait=wait)  # read-only disks can be locked too
        yield


def _lock(locks: ExitStack, path: Path, flags: int, *, wait: bool) -> None:
    lock = os.open(path, flags | os.O_CLOEXEC, 0o600)
    locks.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        if not wait:
            raise AnotherAgent(str(path)) from error
        log.warning("another agent runs on this host: waiting for its end", extra={"lock": str(path)})
        fcntl.flock(lock, fcntl.LOCK_EX)
