"""What no schema can say is wrong with a prerequisite, a resource that hosts only look at. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from . import editions

FOREIGN: Final = ("/proc", "/sys", "/dev", "/run", "/root", "/etc/backstay", "/var/lib/backstay")
"""Folders of which nothing is looked at for a service: what the kernel makes up, and what belongs to the host's admin and to the agent."""
_SECRET: Final = re.compile(r"/etc/(g?shadow-?|(security/)?opasswd|ssh/ssh_host_[^/]+_key)")

_OF_THE_AGENT: Final = re.compile(
    r"/usr/lib/backstay-agent/|/(etc|usr/lib|lib|usr/local/lib)/systemd/system(\.control)?/backstay"
)
"""Its program, and units by which it runs and keeps others from starting, with their drop-ins."""

_FINGERPRINT: Final = re.compile("[0-9a-f]{32}")


def foreign(path: str) -> str:
    """Why no host looks at that file for any service, as what follows the path; empty if each does. The path is one without links."""
    if any(path == folder or path.startswith(f"{folder}/") for folder in FOREIGN) or _SECRET.fullmatch(path):
        return "is not looked at for any service: it is the host's own"
    return ""


def backstays_own(path: str) -> str:
    """Why no host lets any service write that file, though it may be looked at, as what follows the path; empty if a policy may allow it."""
    return "is not written for any service: it is Backstay's own" if _OF_THE_AGENT.match(path) else ""


def fault_of_file(file: Any) -> str:
    """The field, a colon, and why no host would look at it; empty if each does."""
    return (why := foreign(file.path)) and f"path: {file.path} {why}"


def fault_of_brought(file: Any) -> str:
    """The same of one that may be brought there."""
    if editions.is_brought(file) and (why := backstays_own(file.path)):
        return f"path: {file.path} {why}"
    return fault_of_file(file) or editions.fault_of_content(file)


def declared_of_file(file: Any) -> tuple[str, ...]:
    """Of one that is brought there, hosts are compared by its edition alone."""
    if editions.is_brought(file):
        return editions.ASIDE
    said = {"content": file.sha256, "owner": file.owner, "group": file.group, "mode": file.mode}
    return tuple(fact for fact, value in said.items() if value)


MOST_ANY_DEPTH: Final = 2


def fault_of_tree(tree: Any) -> str:
    """The field, a colon, and why no host would look at it; empty if each does."""
    if why := fault_of_file(tree):
        return why
    for field in ("include", "exclude"):
        for glob in getattr(tree, field) or ():
            if glob.split("/").count("**") > MOST_ANY_DEPTH:
                return f"{field}: {glob} has ** more than twice"
    return ""


def is_one_of(path: Sequence[str], glob: str) -> bool:
    """Whether a file of a tree, by the steps that lead to it, is one of these. A glob without a slash goes for its name, in any folder."""
    wanted = glob.split("/")
    return _fits(path, wanted) if len(wanted) > 1 else fnmatchcase(path[-1], glob)


def _fits(path: Sequence[str], wanted: Sequence[str]) -> bool:
    if not wanted:
        return not path
    if wanted[0] == "**":
        return any(_fits(path[count:], wanted[1:]) for count in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], wanted[0]) and _fits(path[1:], wanted[1:])


def fault_of_certificate(certificate: Any) -> str:
    for field in ("path", "key"):
        if (path := getattr(certificate, field)) and (why := foreign(path)):
            return f"{field}: {path} {why}"
    return ""


def key_of_endpoint(endpoint: Any) -> str:
    return endpoint.tcp or f"unix {endpoint.unix}"


def host_and_port(tcp: str) -> tuple[str, int]:
    """Of `db.example.org:5432` or `[2001:db8::1]:5432`."""
    host, _, port = tcp.rpartition(":")
    return host.strip("[]"), int(port)


def fault_of_endpoint(endpoint: Any) -> str:
    if (endpoint.tcp is None) == (endpoint.unix is None):
        return "tcp: exactly one of tcp and unix must be set"
    if endpoint.tcp is not None and not 0 < host_and_port(endpoint.tcp)[1] < 65536:
        return f"tcp: {endpoint.tcp} has no port between 1 and 65535"
    return ""


_OF_SETTING: Final = ("user", "group", "sysctl", "module", "units")
_SECRET_SYSCTL: Final = re.compile(r".*[./](stable_secret|tcp_fastopen_key)|kernel[./]random[./].*")


def sysctl_file(name: str) -> str:
    """Where the kernel shows it: of `net.ipv4.conf.eth0/100.forwarding` the slash is a dot in the name of a link."""
    dots, slashes = name.find("."), name.find("/")
    swapped = name if 0 <= slashes < dots or dots < 0 else name.translate(str.maketrans("./", "/."))
    return f"/proc/sys/{swapped}"


def key_of_setting(setting: Any) -> str:
    """`user postgres`, `sysctl vm.nr_hugepages`, `units a.service, b.timer`."""
    of = next(field for field in _OF_SETTING if getattr(setting, field))
    said = getattr(setting, of)
    return f"{of} {said if isinstance(said, str) else ', '.join(said)}"


def declared_of_setting(setting: Any) -> tuple[str, ...]:
    return tuple(fact for fact in ("value", "groups") if getattr(setting, fact))


def fault_of_setting(setting: Any) -> str:
    """The field, a colon, and why no host would look at it; empty if each does."""
    given = [field for field in _OF_SETTING if getattr(setting, field)]
    if len(given) != 1:
        return "user: exactly one of user, group, sysctl, module and units must be set"
    for field, of in (("value", "sysctl"), ("groups", "user")):
        if getattr(setting, field) and given != [of]:
            return f"{field}: goes with {of}, and with nothing else"
    if setting.sysctl and _SECRET_SYSCTL.fullmatch(setting.sysctl):
        return f"sysctl: {setting.sysctl} is not looked at for any service: it is secret, or made up by each host"
    return ""


def differences(here: Mapping[str, str], there: Mapping[str, str], declared: Sequence[str]) -> list[str]:
    """What is not the same of one thing on two hosts, fact by fact: `mode is 0600 and there 0644`.

    What the manifest declares is left aside: each host holds that against the manifest by itself. Of a file's editions that counts
    which could be in place here at once.
    """
    here = editions.could_be(here, there)
    names = [name for name in {**here, **there} if name not in declared]
    return [
        f"{name} is {_said(here.get(name))} and there {_said(there.get(name))}"
        for name in names
        if here.get(name) != there.get(name)
    ]


def _said(fact: str | None) -> str:
    """Of a fingerprint as much as tells two apart."""
    return "not known" if not fact else fact[:8] if _FINGERPRINT.fullmatch(fact) else fact
