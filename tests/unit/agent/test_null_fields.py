"""A field that is null in the orders of a host says as much as one that is not there."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_agent.core.orders import read_orders

SERVER = {"name": "server", "systemd": {"unit": "web.service"}}


def an_entry(*resources: Any) -> dict[str, Any]:
    frame = {"namespace": "shop", "name": "web-0", "epoch": 1, "want": "Up", "exclusive": True, "revision": 1}
    return {**frame, "session": {"bootID": "b", "nonce": "n", "seq": 1}, "resources": list(resources)}


@pytest.mark.parametrize(
    "news",
    [
        pytest.param({"standbys": {"u2": {**an_entry(SERVER), "probes": None}}}, id="beside resources"),
        pytest.param({"standbys": {"u2": an_entry({**SERVER, "probes": None})}}, id="of a standby"),
        pytest.param({"checks": {"interfaces": None}}, id="of the host's checks"),
        pytest.param({"checks": {"reach": None, "names": ["a"]}}, id="beside others of them"),
        pytest.param({"roles": {"u2": {"attributes": None}}}, id="of roles"),
        pytest.param({"questions": [{"resource": None}]}, id="of questions"),
        pytest.param({"heartbeat": {"profile": None}}, id="of the heartbeat"),
    ],
)
def test_what_is_null_keeps_no_other_order_from_being_read(news: dict[str, Any]) -> None:
    orders = read_orders({"instances": {"u1": an_entry({**SERVER, "probes": None})}, **news})
    assert orders.spec.instances["u1"].resources[0].probes == ()
    assert not orders.not_understood and not orders.trouble
