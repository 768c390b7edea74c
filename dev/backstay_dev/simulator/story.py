"""What happened, in words that a person can follow: one line for each event, with its virtual time and who did it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_api.objects.kinds import Raw
from backstay_api.objects.object_kinds import (
    FENCE_REQUESTS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_LEASES,
    HOSTS,
)

START_S = 1000.0


@dataclass
class Story:
    """All lines of one run."""

    lines: list[str] = field(default_factory=list)
    is_over: bool = False

    def tell(self, actor: str, text: str) -> None:
        if self.is_over:
            return
        at_s = asyncio.get_running_loop().time() - START_S
        self.lines.append(f"{at_s:8.3f} {actor} {text}")

    def observe(self, change: Change) -> None:
        """One committed write, if it is worth a line."""
        teller = _TELLERS.get(change.resource)
        for text in teller(change.before, _now(change)) if teller else ():
            self.tell(change.actor or "the API", text)

    def last(self, count: int) -> str:
        return "\n".join(self.lines[-count:])


def _now(change: Change) -> Raw | None:
    return None if change.type is EventType.DELETED else change.body


def _instance(before: Raw | None, after: Raw | None) -> list[str]:
    name = _name(before, after)
    if after is None:
        return [f"{name} is gone"]
    old, new = _spec(before), after["spec"]
    lines = []
    closed = new.get("closed")
    if closed and closed != old.get("closed"):
        lines.append(f"{name}: epoch {closed['epoch']} is closed by {closed['evidence']}: {closed.get('why', '')}")
    grant = new.get("grant")
    if grant and grant != old.get("grant"):
        session = grant["session"]
        lines.append(f"{name}: epoch {new['epoch']} granted to {grant['host']} session {_short(session)}")
    if before is None:
        lines.append(f"{name} exists, for service {new['service']['name']}")
    if after["metadata"].get("deletionTimestamp") and not (before or {"metadata": {}})["metadata"].get(
        "deletionTimestamp"
    ):
        lines.append(f"{name} is marked for deletion")
    return lines


def _service(before: Raw | None, after: Raw | None) -> list[str]:
    name = _name(before, after)
    if after is None:
        return [f"service {name} is gone"]
    if before is None:
        return [f"service {name} is created"]
    if after["metadata"].get("deletionTimestamp") and not before["metadata"].get("deletionTimestamp"):
        return [f"service {name} is marked for deletion"]
    if after["metadata"].get("generation") != before["metadata"].get("generation"):
        return [f"service {name} is edited (generation {after['metadata']['generation']})"]
    return []


def _assignment(before: Raw | None, after: Raw | None) -> list[str]:
    if after is None:
        return [f"HostAssignment {_name(before, after)} is gone"]
    return [*_orders(before, after), *_says(before, after)]


def _orders(before: Raw | None, after: Raw) -> list[str]:
    old, new = _spec(before).get("instances") or {}, after["spec"].get("instances") or {}
    host = after["metadata"]["name"]
    lines = []
    for uid, entry in new.items():
        was = old.get(uid, {})
        if (entry["epoch"], entry["want"], entry.get("revision")) != (
            was.get("epoch"),
            was.get("want"),
            was.get("revision"),
        ):
            lines.append(
                f"orders {host}: {entry['name']} epoch {entry['epoch']} {entry['want']} ({entry.get('why', '')})"
            )
    return lines


def _says(before: Raw | None, after: Raw) -> list[str]:
    old, new = (before or {}).get("status") or {}, after.get("status") or {}
    host, lines = after["metadata"]["name"], []
    if new.get("session") != old.get("session") and new.get("session"):
        session = new["session"]
        past = f", superseding {', '.join(n[:6] for n in session['supersedes'])}" if session.get("supersedes") else ""
        lines.append(f"{host} opens session {_short(session)}{past}")
    reports, was = new.get("instances") or {}, old.get("instances") or {}
    news = [report for uid, report in reports.items() if _is_news(was.get(uid, {}), report)]
    return [*lines, *(f"{host} says: {_report(report)}" for report in news)]


def _is_news(before: Raw, report: Raw) -> bool:
    return any(report.get(field) != before.get(field) for field in ("epoch", "phase", "released", "healthy"))


def _report(report: Raw) -> str:
    state = "released" if report.get("released") else report["phase"]
    is_well = report.get("healthy", True) or state == "released"
    unwell = "" if is_well else f", not healthy ({report.get('why', '')})"
    return f"{report['name']} epoch {report['epoch']} {state}{unwell}"


def _lease(before: Raw | None, after: Raw | None) -> list[str]:
    if after is None or after["metadata"].get("namespace") != "backstay-hosts":
        return []
    host, notes = after["metadata"]["name"], after["metadata"].get("annotations") or {}
    old = (before or {"metadata": {}})["metadata"].get("annotations") or {}
    holder, was = _holder(after), _holder(before)
    sealed, was_sealed = notes.get("backstay.dev/sealed"), old.get("backstay.dev/sealed")
    if sealed == "true" and was_sealed != "true":
        return [f"seals {host}'s session {holder}"]
    if sealed != "true" and was_sealed == "true":
        return [f"reopens {host}'s Lease for {holder}"]
    return [f"{host}'s Lease is held by {holder} now"] if holder != was else []


def _request(before: Raw | None, after: Raw | None) -> list[str]:
    if after is None:
        return [f"fence request {_name(before, after)} is gone"]
    spec, old, status, was = after["spec"], _spec(before), after.get("status") or {}, (before or {}).get("status") or {}
    about = f"{spec['host']} session {_short(spec['session'])}"
    lines = []
    if spec.get("want") != old.get("want"):
        lines.append(f"wants {about}: {spec['want']} ({spec.get('why', '')})")
    if spec.get("confirm") and not old.get("confirm"):
        lines.append(f"confirms that {about} is powered off")
    if status.get("power") != was.get("power") and status.get("power"):
        lines.append(f"{about} reads {status['power']}")
    if status.get("evidence") and not was.get("evidence"):
        lines.append(f"{about} is proven off: {status['evidence']['why']}")
    return lines


def _host(before: Raw | None, after: Raw | None) -> list[str]:
    name = _name(before, after)
    if after is None or before is None:
        return [f"Host {name} is {'gone' if after is None else 'there'}"]
    if after["metadata"].get("deletionTimestamp") and not before["metadata"].get("deletionTimestamp"):
        return [f"Host {name} is marked for deletion"]
    old, new = _spec(before).get("maintenance"), after["spec"].get("maintenance")
    return [f"Host {name}: maintenance {new}"] if old != new else []


_TELLERS = {
    HA_INSTANCES.resource: _instance,
    HA_SERVICES.resource: _service,
    HOST_ASSIGNMENTS.resource: _assignment,
    HOST_LEASES.resource: _lease,
    FENCE_REQUESTS.resource: _request,
    HOSTS.resource: _host,
}


def _name(before: Raw | None, after: Raw | None) -> str:
    body = after or before
    assert body is not None
    return str(body["metadata"]["name"])


def _spec(body: Raw | None) -> Mapping[str, Any]:
    return (body or {}).get("spec") or {}


def _holder(body: Raw | None) -> str:
    boot, _, nonce = str(_spec(body).get("holderIdentity") or "").partition("/")
    return f"{boot}/{nonce[:6]}" if boot else "nobody"


def _short(session: Mapping[str, Any]) -> str:
    return f"{session['bootID']}/{session['nonce'][:6]} (seq {session['seq']})"
