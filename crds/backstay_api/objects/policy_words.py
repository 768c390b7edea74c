"""What a policy can say of a resource or a probe, in its own words: each kind asks for these, a row of a policy allows patterns of them.

Standard library only, and pure: the policy of a host (the agent) and a ServiceClass (the operator) mean the same by the same word.
A pattern is compared text by text: what is spelled otherwise is not allowed, which is the safe side.
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from .commands import commands_of
from .editions import is_brought
from .prerequisites import sysctl_file

Word = Literal[
    "units",
    "commands",
    "users",
    "groups",
    "environment",
    "overrides",
    "networks",
    "interfaces",
    "paths",
    "files",
    "devices",
    "agents",
    "packages",
]
ROOT: Final = "root"
MORE: Final = "..."
"""The last word of a pattern: whatever else is given."""
BELOW: Final = "**"
"""The last step of a pattern: whatever lies below."""


@dataclass(frozen=True, order=True)
class Asked:
    """One thing that must be allowed."""

    word: Word
    value: tuple[str, ...]
    """One text; of a command, its argument list; of an OCF agent, its name and `parameter=value`s."""

    @property
    def text(self) -> str:
        """As people say it."""
        return f"{NOUNS[self.word]} {self.pattern}"

    @property
    def pattern(self) -> str:
        """The narrowest pattern that allows it."""
        return shlex.join(self.value) if self.word in ("commands", "agents") else self.value[0]


NOUNS: Final[Mapping[Word, str]] = {
    "units": "unit",
    "commands": "command",
    "users": "user",
    "groups": "group",
    "environment": "variable",
    "overrides": "override",
    "networks": "address",
    "interfaces": "interface",
    "paths": "path",
    "files": "file",
    "devices": "device",
    "agents": "OCF agent",
    "packages": "package",
}


def _one(word: Word, text: str | None) -> tuple[Asked, ...]:
    return (Asked(word, (text,)),) if text else ()


# --- what kinds ask for ----------------------------------------------------------------------------------------------


def of_unit(unit: Any) -> tuple[Asked, ...]:
    """A unit by its name as written: a host looks besides what systemd calls it."""
    return (*_one("units", unit.unit), *_settings(unit))


def of_command(command: Any) -> tuple[Asked, ...]:
    """Each of its programs with its arguments, and as whom they run."""
    programs = tuple(Asked("commands", words) for words in dict.fromkeys(commands_of(command).all))
    return (*programs, *_one("users", command.user or ROOT), *_one("groups", command.group), *_settings(command))


def _settings(spec: Any) -> tuple[Asked, ...]:
    """Variables, and how much of the host it may use, by their names."""
    variables = (Asked("environment", (name,)) for name in spec.environment or ())
    return (*variables, *(Asked("overrides", (name,)) for name in spec.overrides or ()))


def of_program(spec: Any) -> tuple[Asked, ...]:
    """A program that the agent itself runs, as root."""
    return of_words(spec.command)


def of_words(command: Sequence[str]) -> tuple[Asked, ...]:
    """The same by its argument list alone."""
    return Asked("commands", tuple(command)), *_one("users", ROOT)


def of_address(ip: Any) -> tuple[Asked, ...]:
    """The address, where its routes lead (a route takes the traffic of others to whom it names), and where the subnet shall not tell the
    interface."""
    routes = [text for route in ip.routes or () for text in (route.to, route.via) if text]
    networks = (Asked("networks", (text,)) for text in (ip.address.partition("/")[0], *routes))
    return (*networks, *_one("interfaces", ip.interface))


def of_agent(ocf: Any) -> tuple[Asked, ...]:
    """An OCF agent runs as root, and a parameter may name a program: so these are looked at too."""
    parameters = sorted(f"{name}={value}" for name, value in (ocf.parameters or {}).items())
    return (Asked("agents", (ocf.agent.removeprefix("ocf:"), *parameters)),)


def of_mount(device: str, mount: Any, *, is_bind: bool) -> tuple[Asked, ...]:
    """`device`: in its one form. The folder of a bind is a path like any other."""
    return (*_one("paths" if is_bind else "devices", device), *_one("paths", mount.path))


def of_path(spec: Any) -> tuple[Asked, ...]:
    return _one("paths", spec.path)


def of_file(file: Any) -> tuple[Asked, ...]:
    """One that is looked at; of one that is brought there, that it is written too, as whose, and by what it is checked, as root.

    Without an owner it stays whose it was, or becomes root's.
    """
    if not is_brought(file):
        return of_path(file)
    accounts = (*_one("users", file.owner), *_one("groups", file.group))
    checked = of_words(file.validate_with) if file.validate_with else ()
    return (*of_path(file), *_one("files", file.path), *accounts, *checked)


def of_tree(tree: Any) -> tuple[Asked, ...]:
    """All that is in it, for all of it is read."""
    return _one("paths", f"{tree.path}/**")


def of_package(package: Any) -> tuple[Asked, ...]:
    return _one("packages", package.name)


def of_certificate(certificate: Any) -> tuple[Asked, ...]:
    return (*_one("paths", certificate.path), *_one("paths", certificate.key))


def of_endpoint(endpoint: Any) -> tuple[Asked, ...]:
    """Whom the host speaks to, even where that is itself: an answer tells who listens there."""
    host = endpoint.tcp.rpartition(":")[0].strip("[]") if endpoint.tcp else None
    return (*_one("networks", host), *_one("paths", endpoint.unix))


def of_setting(setting: Any) -> tuple[Asked, ...]:
    """An account, a unit, or the file by which the kernel shows it."""
    return (
        *_one("users", setting.user),
        *_one("groups", setting.group),
        *(Asked("groups", (group,)) for group in setting.groups or ()),
        *_one("paths", sysctl_file(setting.sysctl) if setting.sysctl else None),
        *_one("paths", f"/sys/module/{setting.module}" if setting.module else None),
        *(Asked("units", (unit,)) for unit in setting.units or ()),
    )


def of_question(host: str | None, files: Sequence[str]) -> tuple[Asked, ...]:
    """Whom a probe asks, but for this host itself, and which files it shows or believes."""
    return (*(() if is_here(host) else _one("networks", host)), *(Asked("paths", (file,)) for file in files))


def is_here(host: str | None) -> bool:
    """Whether it is the very host that asks."""
    return not host or host == "localhost" or bool((address := _network(host)) and address.is_loopback)


# --- what patterns allow ---------------------------------------------------------------------------------------------


def allows(word: Word, pattern: str, value: tuple[str, ...]) -> bool:
    """Whether what stands in a policy under this word allows that value."""
    return _ALLOWS.get(word, _text)(pattern, value)


def fits(pattern: str, text: str) -> bool:
    """A pattern with a slash is compared step by step, `**` at its end stands for all below, and no `*` for a step that leads elsewhere."""
    if pattern == text:
        return True
    if "/" not in pattern:
        return fnmatchcase(text, pattern)
    steps, asked = pattern.split("/"), text.split("/")
    if steps[-1] == BELOW and len(asked) >= len(steps):
        steps = [*steps[:-1], *["*"] * (len(asked) - len(steps) + 1)]
    return len(steps) == len(asked) and all(map(_is_step, steps, asked))


def _is_step(pattern: str, step: str) -> bool:
    return pattern == step or (step not in ("", ".", "..") and fnmatchcase(step, pattern))


def _text(pattern: str, value: tuple[str, ...]) -> bool:
    return fits(pattern, value[0])


def _in_order(pattern: str, value: tuple[str, ...]) -> bool:
    """Arguments have places."""
    words = _words(pattern)
    if words[-1:] == [MORE]:
        words, value = words[:-1], value[: len(words) - 1]
    return bool(words) and len(words) == len(value) and all(map(fits, words, value))


def _in_any_order(pattern: str, value: tuple[str, ...]) -> bool:
    """Parameters have names."""
    words = _words(pattern)
    if not words or not fits(words[0], value[0]):
        return False
    return words[-1] == MORE or all(any(fits(word, one) for word in words[1:]) for one in value[1:])


def _words(pattern: str) -> list[str]:
    try:
        return shlex.split(pattern)
    except ValueError:
        return []


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str) -> _Network | None:
    """An address is the smallest of networks; what a mapped one is of the other family, it is."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    return ipaddress.ip_network((mapped, max(network.prefixlen - 96, 0))) if mapped else network


def _in_network(pattern: str, value: tuple[str, ...]) -> bool:
    """A probe may ask a name, which is no address before somebody has looked it up: it must stand there as it is."""
    wide, narrow = _network(pattern), _network(value[0])
    if wide is None or narrow is None:
        return wide is narrow and pattern == value[0]
    return wide.version == narrow.version and narrow.subnet_of(wide)  # type: ignore[arg-type]


_ALLOWS: Final[Mapping[Word, Callable[[str, tuple[str, ...]], bool]]] = {
    "commands": _in_order,
    "agents": _in_any_order,
    "networks": _in_network,
}


def pattern_fault(word: Word, pattern: str) -> str:
    """Why nothing can be allowed by such a pattern, so that somebody must have meant something else; empty if something can."""
    if not pattern:
        return "is empty"
    if word == "networks" and _network(pattern) is None and ("/" in pattern or "*" in pattern):
        return "is no network, as 192.0.2.0/24 is one"
    if word in ("commands", "agents") and not _words(pattern):
        return "has a quote that does not end"
    if word == "commands" and not _words(pattern)[0].startswith("/"):
        return "does not begin with an absolute path"
    return "must be absolute" if word in ("paths", "files") and not pattern.startswith("/") else ""
