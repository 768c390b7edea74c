"""What stories about other people's bug reports need: a service whose unit is as odd as the report says, on the fault lab's hosts.

The units run the fault lab's ticker wherever the oddity leaves room for it, so that the judge sees two copies in these stories as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from backstay_api.objects import lease as leases
from backstay_api.objects.promise import PROFILES
from backstay_dev.lab.hosts import LabHost
from backstay_dev.show.fault_lab import NAMESPACE, TICKER, TRACES, FaultLab, Play

SLEEPER = "[Service]\nExecStart=/usr/bin/sleep infinity\n"
OTHERS = ("n2", "n3")
ALL = ("n1", "n2", "n3")


def tick(name: str) -> str:
    """The command line of a process that leaves traces for this service."""
    return f"/usr/bin/python3 -S -E {TICKER} {name}-0 {TRACES} /run/backstay/epoch-of-{name}"


def unit_of(name: str, text: str = "[Service]\nExecStart={tick}\n") -> str:
    return text.format(tick=tick(name), name=name)


@contextmanager
def case(
    fault_lab: FaultLab,
    name: str,
    *,
    unit: str = "[Service]\nExecStart={tick}\n",
    programs: dict[str, str] | None = None,
    server: dict[str, Any] | None = None,
    resources: Sequence[dict[str, Any]] | None = None,
    on: str = "",
    wait: bool = True,
    **spec: Any,
) -> Iterator[Play]:
    """An HAService with one unit (`<name>.service`, `{tick}` in it is the ticker) and an address; deleted when this ends.

    `programs`: files of mode 0755 for every host. `server`: more of the unit's resource (probes, timeouts). `resources`: instead of the
    address. `on`: where it is to run first. `wait`: until it does."""
    play = Play(name, fault_lab, free_address(fault_lab))
    for host in fault_lab.lab.hosts.values():
        for path, text in (programs or {}).items():
            host.write_file(path, text, mode=0o755)
        host.install_unit(f"{name}.service", unit_of(name, unit))
    address = [{"name": "address", "virtualIP": {"address": f"{play.address}/24"}}]
    mine = {"name": "server", "systemd": {"unit": f"{name}.service"}, **(server or {})}
    if on:
        fault_lab.lab.plane.kubectl("label", "host", on, f"kubernetes.io/hostname={on}", "--overwrite")
        prefer = [{"hosts": {"matchLabels": {"kubernetes.io/hostname": on}}, "weight": 1000}]
        spec["placement"] = {**spec.get("placement", {}), "prefer": prefer}
    with applied(fault_lab, name, {**spec, "resources": [mine, *(address if resources is None else resources)]}):
        if wait:
            until_ready(play, on=on)
            play.first_host = play.host
        yield play


@contextmanager
def applied(fault_lab: FaultLab, name: str, spec: dict[str, Any]) -> Iterator[None]:
    """An HAService exactly as given, deleted when this ends."""
    fault_lab.apply(name, spec)
    try:
        yield
    except BaseException as error:
        if not getattr(error, "__notes__", ()):
            error.add_note(f"{name}: {Play(name, fault_lab, '').condition('Ready')}\n{fault_lab.report()}")
        fault_lab.lab.tidy()
        raise
    finally:
        fault_lab.take_off(name)


def free_address(fault_lab: FaultLab) -> str:
    """The fault lab's next one."""
    fault_lab._next_address += 1
    return f"192.0.2.{101 + (fault_lab._next_address - 101) % 120}"


# Questions


def until_ready(play: Play, *, on: str = "", other_than: str = "", epoch: int = 0, timeout_s: float = 60.0) -> str:
    """Wait until kubectl would say Ready, there; the host. For services whose processes leave no traces."""

    def ready() -> bool:
        host = play.host
        right = bool(host) and host in (on or host) and host != other_than
        return right and play.condition("Ready").startswith("True") and play.epoch >= epoch

    words = f"{play.name} to be Ready on {on or 'a host'}{f' but {other_than}' if other_than else ''}"
    play.fault_lab.until(ready, words, also=lambda: play.condition("Ready"), timeout_s=timeout_s)
    return play.host


def host_status(fault_lab: FaultLab, host: str) -> dict[str, Any]:
    """What its agent says."""
    return dict(fault_lab.product.get("hostassignments", host).get("status", {}))


def standby(play: Play, host: str) -> dict[str, Any]:
    """What this host says about its readiness to take the service over."""
    uid = play.instance["metadata"]["uid"]
    return dict(host_status(play.fault_lab, host).get("standbys", {}).get(uid, {}))


def until_not_ready(play: Play, hosts: Sequence[str], *words: str, timeout_s: float = 30.0) -> None:
    """Wait until each of these hosts says that it could not run it, in these words."""
    for host in hosts:
        _until_not_ready(play, host, words, timeout_s)


def _until_not_ready(play: Play, host: str, words: tuple[str, ...], timeout_s: float) -> None:
    play.fault_lab.until(
        lambda: refuses(standby(play, host), words),
        f"{host} to say of {play.name}: {' … '.join(words)}",
        also=lambda: f"{host} says: {standby(play, host)}; {play.condition('Ready')}",
        timeout_s=timeout_s,
    )


def refuses(said: dict[str, Any], words: Sequence[str]) -> bool:
    """It said no, and these words."""
    return said.get("ready") is False and all(word in said.get("why", "") for word in words)


def until_standby(play: Play, host: str) -> None:
    """Wait until this host is ready to take it over."""

    play.fault_lab.until(
        lambda: standby(play, host).get("ready") is True,
        f"{host} to be ready for {play.name}",
        also=lambda: standby(play, host),
    )


def report_of(play: Play, host: str) -> dict[str, Any]:
    """What the host's agent says about the instance that it was given."""
    uid = play.instance["metadata"]["uid"]
    return dict(host_status(play.fault_lab, host).get("instances", {}).get(uid, {}))


def restarts(play: Play, host: str) -> int:
    return int(report_of(play, host).get("restarts", 0))


def is_active(host: LabHost, unit: str) -> bool:
    return host.run("systemctl", "is-active", unit, check=False).strip() == "active"


@contextmanager
def patient(fault_lab: FaultLab, host: str) -> Iterator[None]:
    """The host is silent only after 15 s instead of 1.5: for stories in which its agent is away for a moment, also on a busy machine."""
    fault_lab.patch_host(host, {"heartbeat": {"profile": "tolerant"}})
    path = f"/apis/coordination.k8s.io/v1/namespaces/{leases.NAMESPACE}/leases/{host}"

    def promised() -> bool:
        return leases.read(fault_lab.lab.plane.request("GET", path)).contract == PROFILES["tolerant"]

    fault_lab.until(promised, f"the Lease of {host} to say the new period")
    try:
        yield
    finally:
        fault_lab.patch_host(host, {"heartbeat": {"profile": "lab"}})


def running_on(fault_lab: FaultLab, unit: str) -> list[str]:
    return [host.name for host in fault_lab.lab.hosts.values() if host.is_on and is_active(host, unit)]


def main_pid(host: LabHost, unit: str) -> int:
    return int(host.run("systemctl", "show", "--value", "--property=MainPID", unit))


def starts(host: LabHost, unit: str) -> int:
    """How often systemd has started it since the boot."""
    said = host.run("journalctl", "--no-pager", "-o", "cat", "-u", unit, check=False).splitlines()
    return sum(line.startswith("Started ") for line in said)


def has_address(host: LabHost, address: str) -> bool:
    return host.is_on and f" {address}/" in host.run("ip", "-o", "address")


def holding(fault_lab: FaultLab, address: str) -> list[str]:
    return [host.name for host in fault_lab.lab.hosts.values() if has_address(host, address)]


def kill_main(host: LabHost, unit: str) -> None:
    host.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", unit)


def move(play: Play, to: str) -> None:
    """As an administrator, who waits until that host is ready."""
    until_standby(play, to)
    play.fault_lab.backstay("move", play.name, "--to", to, "-n", NAMESPACE)


def explain(play: Play) -> str:
    return play.fault_lab.backstay("explain", play.name, "-n", NAMESPACE)


@contextmanager
def labelled(fault_lab: FaultLab, host: str, value: str) -> Iterator[dict[str, Any]]:
    """Only this host is selected: the placement that says so."""
    fault_lab.lab.plane.kubectl("label", "host", host, f"case={value}", "--overwrite")
    try:
        yield {"hosts": {"matchLabels": {"case": value}}}
    finally:
        fault_lab.lab.plane.kubectl("label", "host", host, "case-")


@contextmanager
def second_interface(fault_lab: FaultLab, *, own: bool = False) -> Iterator[str]:
    """`svc0` on every host, in a subnet where hosts have no address (or, `own`, .11, .12, .13), as long as they stay on."""
    for number, host in enumerate(fault_lab.lab.hosts.values()):
        make_interface(host, f"198.51.100.{11 + number}/24" if own else "")
    try:
        yield "svc0"
    finally:
        for host in fault_lab.lab.hosts.values():
            if host.is_on:
                host.run("ip", "link", "del", "svc0", check=False)


def make_interface(host: LabHost, address: str = "") -> None:
    host.run("ip", "link", "add", "svc0", "link", "eth0", "type", "macvlan", "mode", "bridge")
    if address:
        host.run("ip", "address", "add", address, "dev", "svc0")
    host.run("ip", "link", "set", "svc0", "up")


def presses(fault_lab: FaultLab, host: str) -> list[str]:
    """What the buttons of its power were pressed for, since the last tidying up."""
    return [button for _, button in fault_lab.lab.bmcs[host].presses]
