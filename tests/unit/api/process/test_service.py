"""What all our programs have in common as processes."""

from __future__ import annotations

import subprocess
import sys

from backstay_api.generate.files import REPOSITORY

LIVE = """
import resource
from argparse import Namespace
from backstay_api.process import service
resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))
code = service.live("x", Namespace(kubeconfig="/nowhere", context=None), None)
print(code, resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_no_program_of_ours_leaves_a_core() -> None:
    """It would hold the token of whoever dies, and the fencer's the passwords of devices."""
    told = subprocess.run([sys.executable, "-c", LIVE], capture_output=True, text=True, check=True)
    assert told.stdout == "2 (0, 0)\n"
    unit = (REPOSITORY / "node-agent/install/backstay-agent.service").read_text()
    assert "\nLimitCORE=0\n" in unit
