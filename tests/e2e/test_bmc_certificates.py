"""A BMC whose certificate is the customer's own CA's: believed where the chart's value `fencer.bmcCA` has laid that CA over the bundle.

As in the fencer's Pod, Debian's agent and the fencer's own question find nothing but the file at its usual place.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backstay_dev.lab.pki import Authority
from backstay_dev.lab.shell import PYTHONPATH

pytestmark = pytest.mark.hosts

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
UUID = "5d1e2c1a-7f7c-4a0e-9d3f-0a1b2c3d4e5f"
# In a mount namespace of its own: $1 is the bundle, or nothing.
WITH_BUNDLE = f'[ -z "$1" ] || mount --bind "$1" {BUNDLE}; shift; exec "$@"'
ASKS = """
import json, sys
from backstay_fencer.identity import _get_redfish
print(_get_redfish(json.load(sys.stdin)))
"""


class Board(BaseHTTPRequestHandler):
    """A BMC of few words."""

    def do_GET(self) -> None:
        body = json.dumps({"PowerState": "On", "UUID": UUID}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def port(ours: Authority) -> Iterator[int]:
    pair = ours.issue("bmc", ["127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Board) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def told(bundle: str, words: list[str], stdin: str) -> tuple[int, str]:
    command = [
        "unshare",
        "--mount",
        "env",
        f"PYTHONPATH={PYTHONPATH}",
        "sh",
        "-ec",
        WITH_BUNDLE,
        "sh",
        bundle,
        *words,
    ]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("whose", ["ours", "Debian's", "another's"])
def test_a_board_is_believed_by_whoever_its_certificate_is_of(
    ours: Authority, port: int, tmp_path: Path, whose: str
) -> None:
    another = Authority(tmp_path / "another")
    bundle = {"ours": str(ours.cert_file), "another's": str(another.cert_file)}.get(whose, "")
    device = {
        "ip": "127.0.0.1",
        "ipport": str(port),
        "username": "u",
        "password": "p",
        "systems_uri": "/redfish/v1/Systems/1",
    }
    is_believed = whose == "ours"
    agent = told(
        bundle, ["fence_redfish"], "".join(f"{key}={value}\n" for key, value in {**device, "action": "status"}.items())
    )
    assert (agent[0] == 0) is is_believed, agent[1]
    asked = told(bundle, [sys.executable, "-c", ASKS], json.dumps(device))
    assert (UUID in asked[1]) is is_believed, asked[1]
    assert is_believed or "CERTIFICATE_VERIFY_FAILED" in asked[1] + agent[1]
