"""The rights of our programs against what they used, over all runs of a test session.

`rights.py` tells it of one control plane, account by account. Here the agents of all hosts count as one program, several
labs add up, and only what RBAC itself refused is missing: an admission policy that says no is doing its work.

    tally = Tally()
    tally.take(plane)                 # before a control plane with these identities goes away
    report = tally.report()
    assert report.fits, report.text()
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_api.objects.rbac import ACCEPT_VERB, CONFIRM_VERB
from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.rights.rights import Right, granted

Record = Mapping[str, Any]
Question = tuple[str, ...]

# Verbs that only admission policies ask about: no request ever carries them.
_NEVER_LOGGED: Final = (ACCEPT_VERB, CONFIRM_VERB)
# Used only when something has gone otherwise than planned: an object is read again after a conflict, an Event is repeated.
_BY_CHANCE: Final = {("operator", "backstay.dev", "get"), ("operator", "events.k8s.io", "patch")}
_ACCOUNT: Final = "system:serviceaccount:"
_AGENTS: Final = "system:serviceaccount:backstay-hosts:"
_PROGRAMS: Final = {"operator": "-operator", "fencer": "-fencer"}


@dataclass(frozen=True, order=True)
class Need:
    """One verb of one program on one resource."""

    program: str
    """operator, fencer or agent."""
    namespace: str
    """Empty: in the whole cluster."""
    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.program}: {self.verb} {resource}{f' in {self.namespace}' if self.namespace else ''}"

    def is_met_by(self, right: Need) -> bool:
        """What is granted in the whole cluster is granted in each namespace."""
        mine = (self.program, self.group, self.resource, self.verb)
        return mine == (right.program, right.group, right.resource, right.verb) and right.namespace in (
            "",
            self.namespace,
        )


@dataclass(frozen=True)
class Report:
    """What does not fit, each once and in order."""

    excess: tuple[Need, ...]
    """Granted, and never used."""
    missing: tuple[Need, ...]
    """Asked for, and not granted."""

    @property
    def fits(self) -> bool:
        return not self.excess and not self.missing

    def text(self) -> str:
        lines = [f"granted and never used: {need}" for need in self.excess]
        lines += [f"asked for and not granted: {need}" for need in self.missing]
        return "\n".join(lines) or "every right was used, and none was missing"


@dataclass
class Tally:
    """Gathers what was granted, used and refused, of one run or of many."""

    granted: set[Need] = field(default_factory=set)
    used: set[Need] = field(default_factory=set)
    refused: set[Need] = field(default_factory=set)
    _rights: set[Right] = field(default_factory=set)
    """Of each account, and by name, of every time that was looked."""
    _allowed: set[Question] = field(default_factory=set)
    _refused: dict[Question, Need] = field(default_factory=dict)

    def take(self, plane: ControlPlane) -> None:
        """Add what this control plane's roles and audit log say now."""
        self.add(granted(plane), plane.audit())

    def add(self, rights: Iterable[Right], records: Iterable[Record]) -> None:
        for right in rights:
            self._rights.add(right)
            program = program_of(right.user)
            if program and right.verb not in _NEVER_LOGGED:
                self.granted.add(Need(program, right.namespace, right.group, right.resource, right.verb))
        for record in records:
            need = need_of(record)
            if need is None:
                continue
            if _refused_by_rbac(record) and any(right.covers(record) for right in self._rights):
                continue  # it had that right when this was asked before: it was taken from it since, as from a host that is removed
            if _refused_by_rbac(record):
                self._refused[_question(record)] = need
            else:
                self.used.add(need)
                self._allowed.add(_question(record))
        # An API server that has just started knows no roles for a moment: what it allows at other times is not missing.
        self.refused = {need for question, need in self._refused.items() if question not in self._allowed}

    def report(self) -> Report:
        """What does not fit; what is used only by chance is never excess."""
        sure = [right for right in self.granted if (right.program, right.group, right.verb) not in _BY_CHANCE]
        excess = [right for right in sure if not any(need.is_met_by(right) for need in self.used)]
        return Report(tuple(sorted(excess)), tuple(sorted(self.refused)))


def program_of(user: str) -> str | None:
    """Which of our programs this user is, if any."""
    if user.startswith(_AGENTS):
        return "agent"
    if user.startswith(_ACCOUNT):
        return next((name for name, ending in _PROGRAMS.items() if user.endswith(ending)), None)
    return None


def need_of(record: Record) -> Need | None:
    """What a request needed, by its line in the audit log; None if none of our programs sent it."""
    program, asked = program_of(record["user"].get("username", "")), record.get("objectRef")
    if program is None or asked is None:
        return None
    resource = "/".join(filter(None, (asked.get("resource"), asked.get("subresource"))))
    return Need(program, asked.get("namespace", ""), asked.get("apiGroup", ""), resource, record["verb"])


def _question(record: Record) -> Question:
    """Who asked for what, as exactly as it may come again: each Event has a name of its own."""
    asked = record["objectRef"]
    name = "" if asked.get("resource") == "events" or record["verb"] == "create" else asked.get("name", "")
    where = (asked.get("resource", ""), asked.get("subresource", ""), asked.get("namespace", ""), name)
    return (record["user"]["username"], record["verb"], *where)


def _refused_by_rbac(record: Record) -> bool:
    return bool(record.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid")
