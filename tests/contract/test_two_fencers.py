"""Two fencers as processes with the chart's own rights on a real API server: one leads, and when it is killed the other does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backstay_api.objects.names import FENCER_LEASE, SYSTEM_NAMESPACE
from backstay_dev.lab.controlplane import ControlPlane, free_port
from backstay_dev.lab.shell import wait_until
from contract.chart_scene import installed_in

pytestmark = pytest.mark.api


@contextmanager
def a_fencer(plane: ControlPlane, port: int) -> Iterator[subprocess.Popen[bytes]]:
    env = {**os.environ, "KUBECONFIG": str(plane.kubeconfig_for(SYSTEM_NAMESPACE, "backstay-fencer"))}
    health = ("--health-host", "127.0.0.1", "--health-port", str(port))
    program = subprocess.Popen([sys.executable, "-m", "backstay_fencer.main", *health], env=env)
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def leads(port: int) -> bool | None:
    """As it says itself once it is ready; None: it is not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(json.loads(answer.read())["leads"])
    except (urllib.error.URLError, OSError):
        return None


def test_one_leads_the_other_is_ready_and_takes_over(tmp_path: Path) -> None:
    a, b = free_port(), free_port()
    with installed_in(tmp_path) as plane, a_fencer(plane, a) as first:
        wait_until(lambda: leads(a) is True, timeout_s=60, what="a fencer that leads")
        with a_fencer(plane, b):
            wait_until(lambda: leads(b) is False, timeout_s=60, what="a second one that is ready and waits")
            assert leads(a) is True
            first.kill()
            wait_until(lambda: leads(b) is True, timeout_s=60, what="the second one leading")
            lease = json.loads(plane.kubectl("-n", SYSTEM_NAMESPACE, "get", "lease", FENCER_LEASE, "-o", "json"))
            assert lease["spec"]["leaseTransitions"] == 2
