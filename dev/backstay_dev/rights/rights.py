"""Least privilege, measured: what an identity was refused, and which of its rights it never used, by the audit log.

A missing verb makes something fail; an excess one is only found by looking. So a run of the whole product ends with
`refusals` (should be empty) and `unused` (should be empty, or what stays needs a reason).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backstay_dev.lab.controlplane import ControlPlane

Record = Mapping[str, Any]
_RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource, as a rule grants it; `namespace` empty: everywhere, `names` empty: all."""

    user: str
    namespace: str
    group: str
    resource: str
    verb: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        which = f" named {', '.join(self.names)}" if self.names else ""
        return f"{self.user}: {self.verb} {self.resource}.{self.group or 'core'}{which}{where}"

    def covers(self, record: Record) -> bool:
        """Whether this right allowed what the record tells of."""
        asked = record.get("objectRef")
        if asked is None or not _is_one_of(record["verb"], self.verb) or record["user"]["username"] != self.user:
            return False
        resource = "/".join(filter(None, [asked.get("resource", ""), asked.get("subresource", "")]))
        return (
            _is_one_of(asked.get("apiGroup", ""), self.group)
            and _is_one_of(resource, self.resource)
            and self.namespace in {"", asked.get("namespace", "")}
            and (not self.names or asked.get("name", "") in self.names)
        )


def refusals(records: Iterable[Record]) -> list[str]:
    """What ServiceAccounts asked for and were not allowed: each once, as a sentence."""
    found = {
        f"{record['user']['username']} may not {record['verb']} {record['requestURI'].partition('?')[0]}"
        for record in records
        if record.get("responseStatus", {}).get("code") == 403
        and record["user"]["username"].startswith("system:serviceaccount:")
    }
    return sorted(found)


def unused(plane: ControlPlane, namespaces: Iterable[str]) -> list[Right]:
    """Rights of the ServiceAccounts in these namespaces that no request of this run has used."""
    users = tuple(f"system:serviceaccount:{namespace}:" for namespace in namespaces)
    records = [one for one in plane.audit() if one["user"]["username"].startswith(users)]
    return sorted(
        right
        for right in set(granted(plane))
        if right.user.startswith(users) and not any(right.covers(record) for record in records)
    )


def granted(plane: ControlPlane) -> Iterator[Right]:
    """Every right that a role binding gives to a ServiceAccount by name."""
    roles = {
        (one["metadata"].get("namespace", ""), one["metadata"]["name"]): one.get("rules") or []
        for kind in ("roles", "clusterroles")
        for one in _all(plane, kind)
    }
    for binding in (*_all(plane, "rolebindings"), *_all(plane, "clusterrolebindings")):
        namespace = binding["metadata"].get("namespace", "")
        reference = binding["roleRef"]
        home = namespace if reference["kind"] == "Role" else ""
        for user in _accounts(binding):
            for rule in roles.get((home, reference["name"]), []):
                yield from _rights(user, namespace, rule)


def _rights(user: str, namespace: str, rule: Mapping[str, Any]) -> Iterator[Right]:
    names = tuple(rule.get("resourceNames") or ())
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in rule["verbs"]:
                yield Right(user, namespace, group, resource, verb, names)


def _accounts(binding: Mapping[str, Any]) -> Iterator[str]:
    for subject in binding.get("subjects") or ():
        if subject["kind"] == "ServiceAccount":
            namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
            yield f"system:serviceaccount:{namespace}:{subject['name']}"


def _all(plane: ControlPlane, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plane.request("GET", f"{_RBAC}/{kind}")["items"]
    return found


def _is_one_of(asked: str, granted: str) -> bool:
    return granted in {"*", asked}
