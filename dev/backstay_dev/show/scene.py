"""What the demo looks at and does: a lab with the product on it, a client of the web server, and the ledger of promises."""

from __future__ import annotations

import sys
import time
from typing import Any, Final

from backstay_api.objects.names import instance_name
from backstay_dev.lab.lab import Lab
from backstay_dev.lab.poller import Poller
from backstay_dev.lab.product import Product
from backstay_dev.lab.shell import PYTHONPATH, REPOSITORY, call
from backstay_dev.show.promises import Ledger

ADDRESS: Final = "192.0.2.100"


class Scene:
    """One lab, one product, one client, one ledger."""

    def __init__(self, lab: Lab, ledger: Ledger) -> None:
        self.lab, self.ledger = lab, ledger
        self.product = Product(lab)
        self.client: Poller = lab.poller(f"http://{ADDRESS}/")

    # Looking

    def _all_fenceable(self) -> bool:
        return self.ledger.expect(
            "and its BMC names the same machine as its agent does",
            lambda: (
                "all"
                if all(self.product.condition("hosts", n, "FencingReady") == "True" for n in self.lab.hosts)
                else None
            ),
            within_s=20,
        )

    def _holder(self, service: str = "web") -> str:
        return str(self.product.get("haservices", service, "default").get("status", {}).get("host", ""))

    def _running_on(self, service: str = "web", other_than: str = "") -> str | None:
        host = self._holder(service)
        ready = self.product.condition("haservices", service, "Ready", "default") == "True"
        return f"Running on {host}" if ready and host and host != other_than else None

    def _host_is_ready(self, host: str) -> str | None:
        return "Ready" if self.product.condition("hosts", host, "Ready") == "True" else None

    def _promoted_on(self, other_than: str = "") -> str | None:
        host = str(self.product.get("haservices", "cart", "default").get("status", {}).get("promoted", ""))
        ready = self.product.condition("haservices", "cart", "Ready", "default") == "True"
        return f"{host} is promoted" if ready and host and host != other_than else None

    def _standby(self, host: str) -> dict[str, Any]:
        status = self.product.get("haservices", "web", "default").get("status", {})
        is_seen = bool(status.get("lastRanWith"))  # before that nobody has looked at what the manifest has come to name
        return next((one for one in status.get("standbys", ()) if is_seen and one["host"] == host), {})

    def _could_take_over(self, host: str) -> str | None:
        return f"{host} is ready" if self._standby(host).get("ready") else None

    def _kept_out(self, host: str, why: str) -> str | None:
        """That this host could not take over, where it says why."""
        found = self._standby(host)
        return f"{found['reason']}: {host}: {why}" if not found.get("ready") and why in found.get("why", "") else None

    def _device_evidence(self, instance: str = instance_name("web")) -> str | None:
        closed = self.product.get("hainstances", instance, "default")["spec"].get("closed", {})
        return f"{closed['evidence']}: {closed['why']}" if closed.get("evidence") == "Device" else None

    def _gap_after(self, since_s: float, *, by: str) -> float:
        self.client.first_answer_after(since_s + 0.3, timeout_s=10, by=by)
        return self.client.longest_gap(since_s - 0.05).length_s

    def _check_runs_once(self) -> None:
        active = [
            name
            for name, host in self.lab.hosts.items()
            if host.run("systemctl", "is-active", "web.service", check=False).strip() == "active"
        ]
        self.ledger.check("nothing runs twice", f"active on {', '.join(active)}", len(active) == 1)

    def _is_active(self, name: str) -> bool:
        return self.lab[name].run("systemctl", "is-active", "web.service", check=False).strip() == "active"

    def _runs_on(self, name: str) -> bool:
        return self._is_active(name) or ADDRESS in self.lab[name].run("ip", "-o", "address")

    def _given_back(self) -> str | None:
        look = ("sh", "-c", "ls /etc/systemd/system/web.service.d 2>/dev/null || true")
        return None if any(host.run(*look).strip() for host in self.lab.hosts.values()) else "no drop-in is left"

    # Doing

    def _return_all(self) -> None:
        for host in self.lab.hosts.values():
            if not host.is_on:
                host.power_on()
        self.product.wait_ready(timeout_s=60)

    def _wait(self, for_s: float) -> None:
        self.ledger.say(f"waiting {for_s:.0f} s; the client goes on asking")
        time.sleep(for_s)

    def _kubectl(self, *arguments: str) -> str:
        self.ledger.say("kubectl " + " ".join(a.replace(str(REPOSITORY) + "/", "") for a in arguments))
        return self.lab.plane.kubectl(*arguments)

    def _show(self, *arguments: str) -> None:
        for line in self._kubectl(*arguments, "-A").splitlines():
            self.ledger.say("    " + line)

    def _backstay(self, *arguments: str, exits: int = 0) -> None:
        """The CLI as a user runs it, but from this checkout."""
        command = [
            sys.executable,
            "-m",
            "backstay_cli.main",
            "--kubeconfig",
            str(self.lab.plane.admin_kubeconfig),
            *arguments,
        ]
        as_told = ("sh", "-c", '"$@" || test $? = "$0"', str(exits))
        for line in call(*as_told, "env", f"PYTHONPATH={PYTHONPATH}", *command, timeout_s=60).splitlines():
            self.ledger.say("    " + line)
