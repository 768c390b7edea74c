"""Who may do what, exactly: the one place from which the chart's roles and `backstay host add` take their rules.

Plain dictionaries as the API server wants them, standard library only. A verb is here because code uses it: a missing
one fails in the end-to-end tests, which run with exactly these identities, and `backstay_dev.rights.audit` finds one too many.
"""

from __future__ import annotations

from typing import Any, Final

from backstay_api.objects.names import LEADER_LEASE
from backstay_api.objects.names import agent_account as agent_account
from backstay_api.objects.names import join_secret as join_secret

from .object_kinds import OWN_KINDS

Rule = dict[str, Any]

GROUP: Final = "backstay.dev"
FENCING_NAMESPACE: Final = "backstay-fencing"
"""Holds the Secrets of fence devices; only the fencer reads them."""
CONFIRM_VERB: Final = "confirm"
"""A verb of ours on fencerequests, asked for by an admission policy: may say that a machine is powered off."""
ENROL_VERB: Final = "enrol"
"""A verb of ours on hosts, asked for by admission policies: may make identities for hosts' agents."""
IDENTITY_TYPE: Final = "backstay.dev/host-identity"
"""Type of the Secrets in `backstay-hosts`: empty, one a host, named like its ServiceAccount. Tokens are bound to them."""
JOIN_TYPE: Final = "backstay.dev/host-join"
"""Type of the Secrets to which join tokens are bound: empty too, and there only until the token is used."""
_LOOK: Final = ("get", "list", "watch")


def _rule(group: str, resource: str, *verbs: str, name: str = "") -> Rule:
    named = {"resourceNames": [name]} if name else {}
    return {"apiGroups": [group], "resources": [resource], **named, "verbs": list(verbs)}


OPERATOR: Final[list[Rule]] = [
    _rule(GROUP, "haservices", *_LOOK, "patch"),
    _rule(GROUP, "haservices/status", "patch"),
    _rule(GROUP, "hainstances", *_LOOK, "create", "update", "patch", "delete"),
    _rule(GROUP, "hosts", *_LOOK, "patch"),
    _rule(GROUP, "hosts/status", "patch"),
    _rule(GROUP, "hostassignments", *_LOOK, "create", "update", "delete"),
    _rule(GROUP, "fencerequests", *_LOOK, "create", "patch", "delete"),
    _rule(GROUP, "resourceclaims", *_LOOK, "create", "update", "delete"),
    _rule("events.k8s.io", "events", "create", "patch"),
]
"""In the whole cluster: services are in the namespaces of their people."""

OPERATOR_IN_HOSTS: Final[list[Rule]] = [_rule("coordination.k8s.io", "leases", *_LOOK, "create", "update", "delete")]
"""In `backstay-hosts`: make, seal and reopen the hosts' Leases, and take away those of hosts that were removed."""

OPERATOR_AT_HOME: Final[list[Rule]] = [
    _rule("coordination.k8s.io", "leases", "get", "update", name=LEADER_LEASE),
    # No name yet when it is created, so RBAC cannot ask for one.
    _rule("coordination.k8s.io", "leases", "create"),
]
"""In its own namespace: the Lease by which replicas save each other work."""

FENCER: Final[list[Rule]] = [
    _rule(GROUP, "fencerequests", *_LOOK),
    _rule(GROUP, "fencerequests/status", "patch"),
    _rule(GROUP, "hosts", "list", "watch"),
    _rule(GROUP, "hosts/status", "patch"),
    _rule(GROUP, "hostassignments", "list", "watch"),
]

FENCER_IN_HOSTS: Final[list[Rule]] = [_rule("coordination.k8s.io", "leases", *_LOOK)]
"""In `backstay-hosts`: is the Lease sealed?"""

FENCER_IN_FENCING: Final[list[Rule]] = [_rule("", "secrets", "get")]
"""In `backstay-fencing`, by the names that Hosts give; it cannot list them."""

VIEWERS: Final[list[Rule]] = [
    *(_rule(GROUP, kind.plural, *_LOOK) for kind in OWN_KINDS),
    _rule("coordination.k8s.io", "leases", "get", "list"),
]
"""Added to the `view` role of Kubernetes. In one namespace that is its services; what belongs to the whole cluster needs a
ClusterRoleBinding. Leases: those of hosts, and the operator's, say who lives."""

EDITORS: Final[list[Rule]] = [_rule(GROUP, "haservices", "create", "update", "patch", "delete", "deletecollection")]
"""Added to `edit` and `admin`: people write services, and nothing else of ours."""

HOST_ADMINS: Final[list[Rule]] = [
    *VIEWERS,
    _rule(GROUP, "hosts", "create", "update", "patch", "delete", ENROL_VERB),
]
"""Who may add, describe, drain and remove hosts. A fence device is power over the host, so nobody has this by default."""

FENCE_CONFIRMERS: Final[list[Rule]] = [
    # What is at stake is shown before the question is asked.
    *VIEWERS,
    _rule(GROUP, "fencerequests", "patch", CONFIRM_VERB),
]
"""Who may say "I have seen it powered off". Said wrongly, it splits a service in two: so nobody has this by default."""


def agent_cluster_role(host: str) -> str:
    return f"backstay:host:{host}"


def agent(host: str) -> list[Rule]:
    """Cluster-wide: its own assignment, by name."""
    return [
        _rule(GROUP, "hostassignments", *_LOOK, name=host),
        _rule(GROUP, "hostassignments/status", "update", name=host),
    ]


def agent_in_hosts(host: str) -> list[Rule]:
    """In `backstay-hosts`: renew its own Lease, and its own token; claim its join token, and end it."""
    return [
        _rule("", "secrets", "get", "patch", "delete", name=join_secret(host)),
        _rule("coordination.k8s.io", "leases", "get", "update", name=host),
        _rule("", "serviceaccounts/token", "create", name=agent_account(host)),
    ]


_RBAC: Final = "rbac.authorization.k8s.io"
_KEEP: Final = ("get", "create", "patch", "delete")

ENROLLERS: Final[list[Rule]] = [
    _rule(_RBAC, "clusterroles", *_KEEP),
    _rule(_RBAC, "clusterrolebindings", *_KEEP),
    # Kubernetes lets nobody give a right that he does not have: these are the agents' own. Admission policies keep
    # people from using them (backstay-ours), and from other ClusterRoles than those of hosts (backstay-enrolment).
    _rule(GROUP, "hostassignments", *_LOOK),
    _rule(GROUP, "hostassignments/status", "update"),
]
"""Besides HOST_ADMINS, and only where admission policies are in force: what `backstay host add` and `remove` write."""

ENROLLERS_IN_HOSTS: Final[list[Rule]] = [
    _rule("", "serviceaccounts", *_KEEP),
    _rule(_RBAC, "roles", *_KEEP),
    _rule(_RBAC, "rolebindings", *_KEEP),
    _rule("", "secrets", *_KEEP),
    _rule("", "serviceaccounts/token", "create"),
    _rule("coordination.k8s.io", "leases", "get", "update"),
]
"""The same in `backstay-hosts`. The Secrets there hold nothing: their existence is the life of a host's tokens."""

ENROLLERS_IN_FENCING: Final[list[Rule]] = [_rule("", "secrets", "create", "update", "patch", "delete")]
"""In `backstay-fencing`: give the fencer a device's password. Reading is the fencer's alone."""


def chart_rules() -> dict[str, list[Rule]]:
    """All but the agents' rules, by the names that the chart's templates use."""
    return {
        "operator": OPERATOR,
        "operatorInHosts": OPERATOR_IN_HOSTS,
        "operatorAtHome": OPERATOR_AT_HOME,
        "fencer": FENCER,
        "fencerInHosts": FENCER_IN_HOSTS,
        "fencerInFencing": FENCER_IN_FENCING,
        "viewers": VIEWERS,
        "editors": EDITORS,
        "hostAdmins": HOST_ADMINS,
        "enrollers": ENROLLERS,
        "enrollersInHosts": ENROLLERS_IN_HOSTS,
        "enrollersInFencing": ENROLLERS_IN_FENCING,
        "fenceConfirmers": FENCE_CONFIRMERS,
    }
