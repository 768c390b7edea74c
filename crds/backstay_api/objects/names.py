"""Names that several parts must spell alike. Standard library only."""

from __future__ import annotations

from typing import Final

SYSTEM_NAMESPACE: Final = "backstay-system"
"""Where the operator lives."""
OPERATOR_ACCOUNT: Final = "backstay-operator"
"""Its ServiceAccount there, unless the chart calls it otherwise."""
LEADER_LEASE: Final = "backstay-operator"
"""Lease in the system namespace: which replica acts at once. It saves work and protects nothing."""
FENCER_LEASE: Final = "backstay-fencer"
"""Lease beside it: which fencer carries requests out. It saves work and protects nothing, just so."""
NAMING_SECRET: Final = "backstay-contents"
"""Secret beside it, with the key by which the operator names contents of Secrets: without it nobody can guess one from its name."""
RELEASE: Final = "backstay.dev/release"
"""Annotation of both: the version of the program that holds it."""
LONGEST_TOKEN_S: Final = 30 * 24 * 3600
"""What the policy `backstay-tokens` lets a host's token live at most."""


def key_of(namespace: str | None, name: str) -> str:
    """How people and our indexes name an object: `namespace/name`, or the name alone where it is in no namespace."""
    return f"{namespace}/{name}" if namespace else name


def agent_account(host: str) -> str:
    """The ServiceAccount of a host's agent, in `backstay-hosts`, and the Secret there to which its tokens are bound."""
    return f"backstay-host-{host}"


def join_secret(host: str) -> str:
    """The Secret in `backstay-hosts` to which a host's join token is bound, while it waits to be used."""
    return f"backstay-join-{host}"


def next_identity(host: str) -> str:
    """The Secret in `backstay-hosts` to which a host's tokens are bound while its identity is made anew."""
    return f"backstay-next-{host}"


def files_secret(host: str) -> str:
    """The Secret in `backstay-hosts` in which a host's agent finds what its files from Secrets have in them."""
    return f"backstay-files-{host}"


def instance_name(service: str, slot: int = 0) -> str:
    """Name of the HAInstance in a slot of a service. A Single service has one slot."""
    return f"{service}-{slot}"


def instance_on(service: str, host: str) -> str:
    """Name of the HAInstance of a service of mode EveryHost on one host."""
    return f"{service}.{host}"


def host_of_copy(service: str, instance: str) -> str:
    """The host that an HAInstance of mode EveryHost is for; empty: it is none."""
    before = instance_on(service, "")
    return instance.removeprefix(before) if instance.startswith(before) else ""


def slot_number(service: str, instance: str) -> int | None:
    """The slot that an HAInstance is in, if it is named by a number."""
    before = f"{service}-"
    text = instance.removeprefix(before) if instance.startswith(before) else ""
    return int(text) if text.isdigit() and text == str(int(text)) else None


def promoted_name(service: str) -> str:
    """Name of the HAInstance that is the promoted role of a service of mode Promotable."""
    return f"{service}-promoted"


def slot_of(service: str, instance: str) -> str:
    """Which slot of its service an HAInstance is: its number, in mode EveryHost its host, or `promoted`."""
    return instance[len(service) + 1 :]
