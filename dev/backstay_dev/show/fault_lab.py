"""A whole Backstay on a lab, for fault tests: services that leave traces, questions about them, and the judge who reads the traces.

    with fault_lab.playing("web") as web:            # an HAService with a unit that leaves a trace every 5 ms, and an address
        fault_lab.lab[web.host].power_off()
        web.until_running(other_than=web.first_host)
    # at the end of each test: nobody ran twice, ever

Everything is as in production: real processes with the chart's identities. Only the services are made for the purpose.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.request import urlopen

from backstay_api.objects.names import instance_name
from backstay_dev.lab.lab import Lab
from backstay_dev.lab.poller import Poller
from backstay_dev.lab.product import Enrolment, Product
from backstay_dev.lab.shell import PYTHONPATH, LabError, call, wait_until
from backstay_dev.show import overlap
from backstay_dev.show.overlap import Life, Traces

TICKER: Final = "/usr/local/lib/backstay-ticker.py"
TRACES: Final = "/shared/traces"
NAMESPACE: Final = "default"
FIRST_ADDRESS: Final = 101
# A session of faults loses more hosts in an hour than anybody would without looking.
OPERATOR: Final = ("--fence-budget", "1000", "--fence-pause", "0")

_UNIT: Final = """\
[Unit]
Description=Leaves a trace every 5 ms: {name}
[Service]
ExecStart=/usr/bin/python3 -S -E {ticker} {name}-0 {traces} /run/backstay/epoch-of-{name}
"""


@dataclass
class Play:
    """One service on the stage."""

    name: str
    fault_lab: FaultLab
    address: str
    first_host: str = ""

    @property
    def object(self) -> dict[str, Any]:
        """The HAService as it stands."""
        return self.fault_lab.product.get("haservices", self.name, NAMESPACE)

    @property
    def instance(self) -> dict[str, Any]:
        """Its HAInstance as it stands."""
        return self.fault_lab.product.get("hainstances", instance_name(self.name), NAMESPACE)

    @property
    def host(self) -> str:
        """Where its status says it is."""
        return str(self.object.get("status", {}).get("host", ""))

    @property
    def epoch(self) -> int:
        return int(self.instance["spec"]["epoch"])

    @property
    def evidence(self) -> str:
        """What closed the epoch before."""
        return str(self.instance["spec"].get("closed", {}).get("evidence", ""))

    @property
    def lives(self) -> list[Life]:
        """Every process of it that ever lived, by its traces."""
        return [life for life in self.fault_lab.lives() if life.instance == instance_name(self.name)]

    @property
    def ticks(self) -> int:
        """How many traces it has left: a clock that goes only while the service does."""
        return sum(life.ticks for life in self.lives)

    def let_live(self, ticks: int) -> None:
        """Wait until it has left so many more traces (one every 5 ms at best)."""
        enough = self.ticks + ticks
        self.fault_lab.until(lambda: self.ticks >= enough, f"{ticks} more traces of {self.name}")

    def saw_nothing(self) -> bool:
        """One life from the first trace to now, in the first epoch."""
        self.let_live(5)
        return len(self.lives) == 1 and self.epoch == 1

    def condition(self, kind: str) -> str:
        """`True Reason: message`"""
        status = self.fault_lab.product.condition("haservices", self.name, kind, NAMESPACE)
        return f"{status} {self.fault_lab.product.condition_words('haservices', self.name, kind, NAMESPACE)}"

    def is_running(self, *, on: str = "", other_than: str = "") -> bool:
        """Ready in kubectl's eyes, and a process of it left a trace within the last moment, there."""
        if not self.condition("Ready").startswith("True") or not self.host:
            return False
        if (on and self.host != on) or (other_than and self.host == other_than):
            return False
        now_s = time.clock_gettime(time.CLOCK_MONOTONIC)
        return any(life.host == self.host and now_s - life.last_s < 1.0 for life in self.lives)

    def until_running(self, *, on: str = "", other_than: str = "", timeout_s: float = 60.0) -> str:
        """Wait until it runs there; the host."""
        self.fault_lab.until(
            lambda: self.is_running(on=on, other_than=other_than),
            f"{self.name} running {f'on {on}' if on else f'elsewhere than on {other_than}' if other_than else ''}",
            also=lambda: self.condition("Ready"),
            timeout_s=timeout_s,
        )
        return self.host

    def until_says(self, kind: str, *words: str, timeout_s: float = 60.0) -> str:
        """Wait until a condition carries these words; the whole of it."""
        self.fault_lab.until(
            lambda: all(word in self.condition(kind) for word in words),
            f"{self.name}: {kind} to say {words}",
            also=lambda: self.condition(kind),
            timeout_s=timeout_s,
        )
        return self.condition(kind)

    def poller(self) -> Poller:
        """A client of its address (only where the service answers on port 80)."""
        return self.fault_lab.lab.poller(f"http://{self.address}/")


@dataclass
class FaultLab:
    """The lab with the product in it."""

    lab: Lab
    product: Product
    _next_address: int = FIRST_ADDRESS
    _traces: Traces | None = None
    _told: set[tuple[str, str, str]] = field(default_factory=set)

    @classmethod
    def open(cls, lab: Lab, enrolment: Enrolment | None = None, *, operator: Sequence[str] = OPERATOR) -> FaultLab:
        """Install, enrol and start everything; returns when every host is Ready."""
        product = Product(lab)
        product.install()
        product.enrol(how=enrolment)
        (lab.shared / "traces").mkdir(exist_ok=True)
        for host in lab.hosts.values():
            host.write_file(TICKER, overlap.PROGRAM)
        product.start_operator("operator", *operator)
        product.start_fencer()
        for name in lab.hosts:
            product.start_agent(name)
        product.wait_ready(timeout_s=60)
        return cls(lab, product)

    # Services

    @contextmanager
    def playing(
        self, name: str, *, on: str = "", resources: Sequence[dict[str, Any]] = (), **spec: Any
    ) -> Iterator[Play]:
        """A service that leaves traces, running (on a host of choice) when this begins, deleted when it ends."""
        play = self.put_on(name, on=on, resources=resources, **spec)
        try:
            yield play
        except BaseException:
            # What stands in the way of the failed test must not stand in the way of the next one.
            self.lab.tidy()
            raise
        finally:
            self.take_off(name)

    def put_on(
        self, name: str, *, on: str = "", resources: Sequence[dict[str, Any]] = (), wait: bool = True, **spec: Any
    ) -> Play:
        """Apply a service; see `playing`."""
        play = Play(name, self, f"192.0.2.{self._next_address}")
        self._next_address = FIRST_ADDRESS + (self._next_address - FIRST_ADDRESS + 1) % 120
        unit = f"tick-{name}.service"
        for host in self.lab.hosts.values():
            host.install_unit(unit, _UNIT.format(name=name, ticker=TICKER, traces=TRACES))
        mine = [
            {"name": "ticker", "systemd": {"unit": unit}},
            *resources,
            {"name": "address", "virtualIP": {"address": f"{play.address}/24"}},
        ]
        if on:
            prefer = [{"hosts": {"matchLabels": {"kubernetes.io/hostname": on}}, "weight": 1000}]
            spec = {**spec, "placement": {**spec.get("placement", {}), "prefer": prefer}}
            self.lab.plane.kubectl("label", "host", on, f"kubernetes.io/hostname={on}", "--overwrite")
        self.apply(name, {**spec, "resources": mine})
        if wait:
            play.first_host = play.until_running(on=on)
        return play

    def take_off(self, name: str) -> None:
        """Delete a service and wait until it is gone."""
        self.lab.plane.kubectl(
            "delete", "hasvc", name, "-n", NAMESPACE, "--ignore-not-found", "--timeout=60s", timeout_s=70
        )

    def apply(self, name: str, spec: dict[str, Any]) -> None:
        """kubectl apply of an HAService."""
        manifest = {
            "apiVersion": "backstay.dev/v1alpha1",
            "kind": "HAService",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": spec,
        }
        self.lab.plane.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    # Doing

    def backstay(self, *arguments: str) -> str:
        """The CLI as an administrator runs it."""
        command = [sys.executable, "-m", "backstay_cli.main", "--kubeconfig", str(self.lab.plane.admin_kubeconfig)]
        return call("env", f"PYTHONPATH={PYTHONPATH}", *command, *arguments, timeout_s=60)

    def patch_host(self, name: str, spec: dict[str, Any]) -> None:
        """A merge patch of a Host's spec, as an administrator."""
        self.lab.plane.kubectl("patch", "host", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def kill_operator(self, name: str = "operator") -> None:
        """SIGKILL; what keeps Pods alive in a real cluster starts it again at once."""
        self.product.operators[name].kill()
        self.product.start_operator(name, *OPERATOR)

    def kill_fencer(self) -> None:
        """SIGKILL, and started again at once."""
        self.product.fencers["fencer"].kill()
        self.product.start_fencer()

    def kill_agent(self, host: str) -> None:
        """SIGKILL; systemd starts it again. One that is just being started has nothing to be killed."""
        with suppress(LabError):
            self.product.kill_agent(host)

    # Looking

    def until(
        self, question: Callable[[], bool], words: str, *, also: Callable[[], object] = str, timeout_s: float = 60.0
    ) -> None:
        """Wait for something to become true; what was the case instead stands in the error."""

        def ask() -> bool:
            # The API server may be away: then it is not true yet.
            with suppress(LabError, OSError):
                return question()
            return False

        try:
            wait_until(ask, timeout_s=timeout_s, what=words, every_s=0.05)
        except (LabError, TimeoutError) as error:
            raise LabError(f"{error} Instead: {also()}\n{self.report()}") from error

    def lives(self) -> list[Life]:
        """Every life of every instance so far."""
        if self._traces is None:
            self._traces = Traces(self.lab.shared / "traces")
        return self._traces.lives()

    def judge(self) -> list[str]:
        """Whoever ran twice at once, ever, and was not told of yet: one test's disgrace is not the next one's."""
        found = {(str(one.earlier.pid), one.earlier.epoch, one.later.epoch): one for one in self._overlaps()}
        fresh = [str(one) for key, one in found.items() if key not in self._told]
        self._told |= set(found)
        return fresh

    def _overlaps(self) -> list[overlap.Overlap]:
        return overlap.overlaps(self.lives())

    def host_says(self, host: str, kind: str) -> str:
        """A condition of a host: `True Reason: message`."""
        product = self.product
        return f"{product.condition('hosts', host, kind)} {product.condition_words('hosts', host, kind)}"

    def operator_is_ready(self, name: str = "operator") -> bool:
        """Whether its /readyz says so: it sees everything that it should, and has seen it lately."""
        try:
            with urlopen(f"http://127.0.0.1:{self.product.health_ports[name]}/readyz", timeout=2) as answer:
                return int(answer.status) == 200
        except OSError:
            return False

    def fence_requests(self, host: str = "") -> dict[str, dict[str, Any]]:
        """Every FenceRequest (about this host), by name."""
        items = self.lab.plane.request("GET", "/apis/backstay.dev/v1alpha1/fencerequests")["items"]
        return {one["metadata"]["name"]: one for one in items if host in ("", one["spec"]["host"])}

    def fences_asked(self) -> list[str]:
        """Every FenceRequest ever made, also those that nobody needs any more: `<host>-<hash>`, by the audit log."""
        return [
            one["objectRef"]["name"]
            for one in self.lab.plane.audit()
            if one["verb"] == "create" and one.get("objectRef", {}).get("resource") == "fencerequests"
        ]

    def events(self, kind: str, name: str) -> list[str]:
        """What was said about one object: `Warning Reason: note`."""
        items = self.lab.plane.request("GET", "/apis/events.k8s.io/v1/events")["items"]
        mine = [one for one in items if (one["regarding"]["kind"], one["regarding"]["name"]) == (kind, name)]
        return [f"{one['type']} {one['reason']}: {one['note']}" for one in mine]

    def report(self) -> str:
        """How things stand, for the reader of a failed test."""
        parts = [self.lab.plane.kubectl("get", "hasvc,hai,hosts,fence", "-A", "-o", "wide")]
        parts += [f"--- {name}\n{child.log.read_text()[-3000:]}" for name, child in self.product.operators.items()]
        parts += [f"--- {name}\n{child.log.read_text()[-1500:]}" for name, child in self.product.fencers.items()]
        for name, host in self.lab.hosts.items():
            if host.is_on:
                with suppress(LabError):
                    parts.append(f"--- agent {name}\n{self.product.agent_log(name, 15)}")
        return "\n".join(parts)

    # Mending

    def tidy(self) -> None:
        """Undo every fault, start whatever was killed, and wait until every host is Ready."""
        self.lab.tidy()
        for name, child in list(self.product.operators.items()):
            if name != "operator":
                child.kill()
                del self.product.operators[name]
            elif not child.running:
                self.product.start_operator("operator", *OPERATOR)
            else:
                child.resume()
        for child in list(self.product.fencers.values()):
            if child.running:
                child.resume()
            else:
                self.product.start_fencer()
        for name in self.lab.hosts:
            self.lab.plane.kubectl("patch", "host", name, "--type=merge", "-p", '{"spec":{"maintenance":null}}')
            self.product.start_agent(name)
        self.product.wait_ready(timeout_s=90)
