"""What agents with roles are told beside the rest, by Pacemaker's names, new and old.

An agent takes `promotable` or `master_max` for the sign that roles are wanted, and a notification's lists for where the copies are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

_OLD: Final = {"promoted": "master", "unpromoted": "slave"}
_NOBODY: Final = " "


@dataclass(frozen=True, kw_only=True)
class Copies:
    """On which hosts a resource has copies when an agent is notified; and of these, what the operation it is notified of does to which."""

    active: tuple[str, ...] = ()
    inactive: tuple[str, ...] = ()
    promoted: tuple[str, ...] = ()
    unpromoted: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    promote: tuple[str, ...] = ()
    demote: tuple[str, ...] = ()


def copies_of(copies: Sequence[str], promoted: str, operation: str = "", hosts: Sequence[str] = ()) -> Copies:
    """Copies that are up, one of them promoted, if any is; and to which an operation was done."""
    active = tuple(sorted({*copies, *filter(None, [promoted])}))
    found = Copies(
        active=active,
        promoted=(promoted,) if promoted else (),
        unpromoted=tuple(host for host in active if host != promoted),
    )
    return replace(found, **{operation: tuple(hosts)}) if operation else found


def clone_metas(*, copies: int, promoted: int = 1, is_notified: bool = True) -> dict[str, str]:
    """For every operation of a resource of which so many copies run, so many of them promoted, one on a host."""
    return {
        "clone": "0",
        "clone_max": str(copies),
        "clone_node_max": "1",
        "globally_unique": "false",
        "notify": str(is_notified).lower(),
        "promotable": "true",
        "promoted_max": str(promoted),
        "promoted_node_max": "1",
        "master_max": str(promoted),
        "master_node_max": "1",
    }


def notify_metas(when: str, operation: str, of: str, copies: Copies) -> dict[str, str]:
    """For `notify`, beside those of the clone. `of`: the resource, as the agent is told that it is called."""
    return {"notify_type": when, "notify_operation": operation, **copy_metas(of, copies)}


def copy_metas(of: str, copies: Copies) -> dict[str, str]:
    """Where the copies are, for any operation: `mysql` and `mariadb` look there at a start whom to follow."""
    said: dict[str, str] = {}
    everywhere: dict[str, None] = {}
    for which in fields(copies):
        hosts = getattr(copies, which.name)
        everywhere |= dict.fromkeys(hosts)
        for name in filter(None, (which.name, _OLD.get(which.name))):
            said[f"notify_{name}_resource"] = _listed([of] * len(hosts))
            said[f"notify_{name}_uname"] = _listed(hosts)
    return {**said, **dict.fromkeys(("notify_all_uname", "notify_available_uname"), _listed([*everywhere]))}


def _listed(words: Sequence[str]) -> str:
    return " ".join(words) or _NOBODY
