"""Who may do what, exactly: the one place from which the chart's roles and `backstay host add` take their rules.

Plain dictionaries as the API server wants them, standard library only. A verb is here because code uses it: a missing
one fails in the end-to-end tests, which run with exactly these identities, and `backstay_dev.rights.audit` finds one too many.
"""

from __future__ import annotations

from typing import Any, Final

from backstay_api.objects.names import FENCER_LEASE, LEADER_LEASE, NAMING_SECRET
from backstay_api.objects.names import agent_account as agent_account
from backstay_api.objects.names import files_secret as files_secret
from backstay_api.objects.names import join_secret as join_secret
from backstay_api.objects.names import next_identity as next_identity

from .kinds import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    Kind,
)
from .object_kinds import (
    FENCE_REQUESTS,
    HA_INSTANCES,
    HA_SERVICES,
    HOST_ASSIGNMENTS,
    HOST_SURVEYS,
    HOSTS,
    OWN_KINDS,
    RESOURCE_CLAIMS,
    SERVICE_CLASSES,
)

Rule = dict[str, Any]

FENCING_NAMESPACE: Final = "backstay-fencing"
"""Holds the Secrets of fence devices; only the fencer reads them."""
CONFIRM_VERB: Final = "confirm"
"""A verb of ours on fencerequests, asked for by an admission policy: may say that a machine is powered off."""
ACCEPT_VERB: Final = "accept"
"""A verb of ours on haservices, asked for by an admission policy: may say that what differs between two hosts may differ."""
ENROL_VERB: Final = "enrol"
"""A verb of ours on hosts, asked for by admission policies: may make identities for hosts' agents."""
IDENTITY_TYPE: Final = "backstay.dev/host-identity"
"""Type of the Secrets in `backstay-hosts`: empty, one a host, named like its ServiceAccount. Tokens are bound to them."""
FILES_TYPE: Final = "backstay.dev/host-files"
"""Type of those that hold what is in files from Secrets, one a host: written by the operator alone, read by that host's agent."""
JOIN_TYPE: Final = "backstay.dev/host-join"
"""Type of the Secrets to which join tokens are bound: empty too, and there only until the token is used."""
_LOOK: Final = ("get", "list", "watch")
CLUSTER_NAMESPACE: Final = "kube-system"
"""Its UID is the cluster's: it is made with it, and never again."""


def _rule(group: str, resource: str, *verbs: str, name: str = "") -> Rule:
    named = {"resourceNames": [name]} if name else {}
    return {"apiGroups": [group], "resources": [resource], **named, "verbs": list(verbs)}


def _of(kind: Kind[Any], *verbs: str, name: str = "") -> Rule:
    return _rule(kind.group, kind.plural, *verbs, name=name)


def _status_of(kind: Kind[Any], *verbs: str, name: str = "") -> Rule:
    return _rule(kind.group, f"{kind.plural}/status", *verbs, name=name)


WHICH_CLUSTER: Final = _of(NAMESPACES, "get", name=CLUSTER_NAMESPACE)

OPERATOR: Final[list[Rule]] = [
    _of(HA_SERVICES, *_LOOK, "patch"),
    _status_of(HA_SERVICES, "patch"),
    _of(HA_INSTANCES, *_LOOK, "create", "update", "patch", "delete"),
    _of(HOSTS, *_LOOK, "patch"),
    _status_of(HOSTS, "patch"),
    _of(HOST_ASSIGNMENTS, *_LOOK, "create", "update", "delete"),
    _of(FENCE_REQUESTS, *_LOOK, "create", "patch", "delete"),
    _of(RESOURCE_CLAIMS, *_LOOK, "create", "update", "delete"),
    _of(SERVICE_CLASSES, *_LOOK),
    _status_of(SERVICE_CLASSES, "patch"),
    _of(EVENTS, "create", "patch"),
    # Whose names no role can know. It cannot list them: a name must stand in a service of that namespace.
    _of(CONFIG_MAPS, "get"),
]
"""In the whole cluster: services are in the namespaces of their people."""

OPERATOR_IN_HOSTS: Final[list[Rule]] = [
    _of(LEASES, *_LOOK, "create", "update", "delete"),
    _of(SECRETS, "get", "patch"),
]
"""In `backstay-hosts`: make, seal and reopen the hosts' Leases, and take away those of hosts that were removed; and write into the Secrets from
which agents have what is in files, whose names no role can know. It makes none, so that none can be a token."""

OPERATOR_AT_HOME: Final[list[Rule]] = [
    _of(LEASES, "get", "update", name=LEADER_LEASE),
    # No name yet when it is created, so RBAC cannot ask for one.
    _of(LEASES, "create"),
    # The chart makes it: who may make Secrets here could make himself a token of the fencer.
    _of(SECRETS, "get", "patch", name=NAMING_SECRET),
]
"""In its own namespace: the Lease by which replicas save each other work, and the key by which it names contents of Secrets."""

CONTENTS_ROLE: Final = "backstay:contents"
CONTENTS: Final[list[Rule]] = [_of(SECRETS, "get")]
"""Bound by nobody but admins of namespaces, in theirs, to the operator: then services there may have files from its Secrets."""

FENCER: Final[list[Rule]] = [
    _of(FENCE_REQUESTS, *_LOOK),
    _status_of(FENCE_REQUESTS, "patch"),
    _of(HOSTS, "list", "watch"),
    _status_of(HOSTS, "patch"),
    _of(HOST_ASSIGNMENTS, "list", "watch"),
]

FENCER_AT_HOME: Final[list[Rule]] = [_of(LEASES, "get", "update", name=FENCER_LEASE), _of(LEASES, "create")]
"""In the operator's namespace: the Lease by which one of them works, and the others wait."""

FENCER_IN_HOSTS: Final[list[Rule]] = [_of(LEASES, *_LOOK)]
"""In `backstay-hosts`: is the Lease sealed?"""

FENCER_IN_FENCING: Final[list[Rule]] = [_of(SECRETS, "get")]
"""In `backstay-fencing`, by the names that Hosts give; it cannot list them."""

VIEWERS: Final[list[Rule]] = [
    *(_of(kind, *_LOOK) for kind in OWN_KINDS),
    _of(LEASES, "get", "list"),
]
"""Added to the `view` role of Kubernetes. In one namespace that is its services; what belongs to the whole cluster needs a
ClusterRoleBinding. Leases: those of hosts, and the operator's, say who lives."""

EDITORS: Final[list[Rule]] = [
    _of(HA_SERVICES, "create", "update", "patch", "delete", "deletecollection"),
    # kubectl scale: what it may set they may edit anyway.
    _rule(HA_SERVICES.group, f"{HA_SERVICES.plural}/scale", "get", "update", "patch"),
]
"""Added to `edit` and `admin`: people write services, and nothing else of ours."""

HOST_ADMINS: Final[list[Rule]] = [
    *VIEWERS,
    _of(HOSTS, "create", "update", "patch", "delete", ENROL_VERB),
    _of(HOST_SURVEYS, "get", "list", "watch", "create", "delete"),
]
"""Who may add, describe, drain and remove hosts. A fence device is power over the host, so nobody has this by default."""

POLICY_ADMINS: Final[list[Rule]] = [
    # Whom a class refuses is asked before it is written (`backstay policy test`), and that looks at everything.
    *VIEWERS,
    _of(SERVICE_CLASSES, "create", "update", "patch", "delete"),
]
"""Who may say what namespaces may bring, and where. Who may, may lift it: so nobody has this by default."""

FENCE_CONFIRMERS: Final[list[Rule]] = [
    # What is at stake is shown before the question is asked.
    *VIEWERS,
    _of(FENCE_REQUESTS, "patch", CONFIRM_VERB),
]
"""Who may say "I have seen it powered off". Said wrongly, it splits a service in two: so nobody has this by default."""

DRIFT_ACCEPTERS: Final[list[Rule]] = [
    # What is accepted is looked at first.
    *VIEWERS,
    _of(HA_SERVICES, ACCEPT_VERB),
]
"""Who may say that a difference between two hosts is all right, beside `edit` where the service is. Said wrongly, a service fails over to a
host where it does not work: so nobody has this by default."""


def agent_cluster_role(host: str) -> str:
    return f"backstay:host:{host}"


def agent(host: str) -> list[Rule]:
    """Cluster-wide: its own assignment, and what people ask of it, by name; and which cluster this is."""
    return [
        _of(HOST_ASSIGNMENTS, *_LOOK, name=host),
        _status_of(HOST_ASSIGNMENTS, "update", name=host),
        _of(HOST_SURVEYS, "list", "watch", name=host),
        _status_of(HOST_SURVEYS, "update", name=host),
        WHICH_CLUSTER,
    ]


def agent_in_hosts(host: str) -> list[Rule]:
    """In `backstay-hosts`: renew its own Lease, and its own token; claim and end its join token, and what carries it to a new identity; and
    read what is in its files from Secrets."""
    return [
        _of(SECRETS, "get", name=files_secret(host)),
        _of(SECRETS, "get", "patch", "delete", name=join_secret(host)),
        _of(SECRETS, "get", "patch", "delete", name=next_identity(host)),
        _of(LEASES, "get", "update", name=host),
        _rule("", "serviceaccounts/token", "create", name=agent_account(host)),
    ]


_MAKE: Final = ("get", "create", "patch")
_KEEP: Final = (*_MAKE, "delete")


def _identities(*verbs: str) -> list[Rule]:
    return [
        _of(CLUSTER_ROLES, *verbs),
        _of(CLUSTER_ROLE_BINDINGS, *verbs),
        # Kubernetes lets nobody give a right that he does not have: these are the agents' own. Admission policies keep
        # people from using them (backstay-ours), and from other ClusterRoles than those of hosts (backstay-enrolment).
        _of(HOST_ASSIGNMENTS, *_LOOK),
        _status_of(HOST_ASSIGNMENTS, "update"),
        _of(HOST_SURVEYS, "list", "watch"),
        _status_of(HOST_SURVEYS, "update"),
        WHICH_CLUSTER,
    ]


def _identities_in_hosts(*verbs: str) -> list[Rule]:
    """The existence of Secrets there is the life of a host's tokens, and those hold nothing. What those of files hold may be read by whoever
    may become any host."""
    return [
        _of(SERVICE_ACCOUNTS, *verbs),
        _of(ROLES, *verbs),
        _of(ROLE_BINDINGS, *verbs),
        # Listed: what join tokens that ended unused have left is taken away by who makes the next one.
        _of(SECRETS, *_KEEP, "list"),
        _rule("", "serviceaccounts/token", "create"),
        _of(LEASES, "get", "update"),
    ]


HOST_ADMINS_ENROL: Final[list[Rule]] = _identities(*_KEEP)
"""Besides HOST_ADMINS, and only where admission policies are in force: what `backstay host add` and `remove` write."""

HOST_ADMINS_IN_HOSTS: Final[list[Rule]] = _identities_in_hosts(*_KEEP)
"""The same in `backstay-hosts`."""

HOST_ADMINS_IN_FENCING: Final[list[Rule]] = [_of(SECRETS, "create", "update", "patch", "delete")]
"""In `backstay-fencing`: give the fencer a device's password. Reading is the fencer's alone."""

ENROLLERS: Final[list[Rule]] = [*VIEWERS, _of(HOSTS, "create", ENROL_VERB), *_identities(*_MAKE)]
"""Who may make new hosts, and make and end their tokens: only where admission policies are in force. A Host that is there he cannot change."""

ENROLLERS_IN_HOSTS: Final[list[Rule]] = _identities_in_hosts(*_MAKE)
"""The same in `backstay-hosts`. Nothing in `backstay-fencing`."""


def chart_rules() -> dict[str, list[Rule]]:
    """All but the agents' rules, by the names that the chart's templates use."""
    return {
        "operator": OPERATOR,
        "operatorInHosts": OPERATOR_IN_HOSTS,
        "operatorAtHome": OPERATOR_AT_HOME,
        "contents": CONTENTS,
        "fencer": FENCER,
        "fencerAtHome": FENCER_AT_HOME,
        "fencerInHosts": FENCER_IN_HOSTS,
        "fencerInFencing": FENCER_IN_FENCING,
        "viewers": VIEWERS,
        "editors": EDITORS,
        "hostAdmins": HOST_ADMINS,
        "hostAdminsEnrol": HOST_ADMINS_ENROL,
        "hostAdminsInHosts": HOST_ADMINS_IN_HOSTS,
        "hostAdminsInFencing": HOST_ADMINS_IN_FENCING,
        "enrollers": ENROLLERS,
        "enrollersInHosts": ENROLLERS_IN_HOSTS,
        "fenceConfirmers": FENCE_CONFIRMERS,
        "policyAdmins": POLICY_ADMINS,
        "driftAccepters": DRIFT_ACCEPTERS,
    }
