"""What the properties of a unit say to who watches it."""

import pytest

from backstay_agent.drivers.tools.watch import waits_for_pid_file


@pytest.mark.parametrize(
    ("properties", "waits"),
    [
        ({"Type": "forking", "PIDFile": "/run/x.pid", "SubState": "start", "ControlPID": 0}, True),
        ({"Type": "forking", "PIDFile": "/run/x.pid", "SubState": "start", "ControlPID": 7}, False),
        ({"Type": "forking", "PIDFile": "", "SubState": "start", "ControlPID": 0}, False),
        ({"Type": "notify", "PIDFile": "/run/x.pid", "SubState": "start", "ControlPID": 0}, False),
        ({"Type": "forking", "PIDFile": "/run/x.pid", "SubState": "running", "ControlPID": 0}, False),
    ],
)
def test_which_start_a_reload_would_break(properties: dict[str, object], waits: bool) -> None:
    assert waits_for_pid_file(properties) is waits
