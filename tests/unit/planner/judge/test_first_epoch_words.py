"""Before the first grant: what is known to run somewhere, what nobody can say, and what is to be done about either."""

import pytest

from backstay_operator.planner.judge import first_epoch
from backstay_testing.builders import a_service
from backstay_testing.worlds import a_world, put, say_ready, silence

LEGACY = {"name": "server", "command": {"start": ["/etc/init.d/x", "start"], "stop": ["/etc/init.d/x", "stop"]}}
EXITED = "server: command /etc/init.d/x status exited with 3: wanted 0 (running) or 7 (stopped)"
HUNG = "it was not examined within 5 s: something on this host does not answer"
OWN = "address: 192.0.2.11 is an address of this host itself (eth0): choose another"
UP = "server: it is up and was not started by Backstay: /etc/init.d/x stop"


@pytest.mark.parametrize(
    ("plain", "unclear", "why"),
    [
        pytest.param(
            {},
            {"n1": EXITED, "n2": EXITED, "n3": EXITED},
            f"n1, n2 and n3 cannot say whether it runs there: {EXITED}",
            id="a check whose answer means nothing",
        ),
        pytest.param({}, {"n2": HUNG}, f"n2 cannot say whether it runs there: {HUNG}", id="an examination that hangs"),
        pytest.param({}, {"n1": OWN}, f"n1 cannot say whether it runs there: {OWN}", id="a host's own address"),
        pytest.param({}, {"n1": ""}, "n1 cannot say whether it runs there", id="no reason"),
        pytest.param(
            {"n3": UP},
            {"n1": EXITED},
            f"something of it runs on n3 already, not started by Backstay ({UP}): stop it there;"
            f" n1 cannot say whether it runs there: {EXITED}",
            id="only where it runs is it to be stopped",
        ),
        pytest.param(
            {"n1": UP},
            {},
            f"something of it runs on n1 already, not started by Backstay ({UP}): stop it there",
            id="what plainly runs is to be stopped",
        ),
    ],
)
def test_what_stands_against_the_first_grant(plain: dict[str, str], unclear: dict[str, str], why: str) -> None:
    world = a_world("n1", "n2", "n3")
    service = a_service("web", LEGACY)
    instance = put(world, service)
    for host in ("n1", "n2", "n3"):
        said = plain.get(host, unclear.get(host, ""))
        is_active = host in plain or host in unclear
        say_ready(world, service, host, active=is_active, unclear=host in unclear, why=said)
    assert first_epoch.blocked(world, service, instance) == why


SERVER = {"name": "server", "systemd": {"unit": "web.service"}}
BATCH = {**LEGACY, "name": "batch"}
STOP_WEB = "systemctl stop web.service there"


@pytest.mark.parametrize(
    ("resources", "running", "why"),
    [
        pytest.param([SERVER], ["server"], f"n1 runs web.service already, not started by Backstay: {STOP_WEB}", id="a unit"),
        pytest.param(
            [SERVER, BATCH],
            ["server"],
            f"n1 runs web.service already, not started by Backstay: {STOP_WEB}",
            id="a unit beside a command: what does not run is not named",
        ),
        pytest.param(
            [SERVER, BATCH],
            ["server", "batch"],
            f"something of it runs on n1 already, not started by Backstay (it says so): stop it there; {STOP_WEB} stops web.service",
            id="both",
        ),
        pytest.param([SERVER, BATCH], ["batch"],
            "something of it runs on n1 already, not started by Backstay (it says so): stop it there", id="only the command"),
        pytest.param([SERVER], [], f"n1 runs web.service already, not started by Backstay: {STOP_WEB}", id="an older agent"),
        pytest.param(
            [SERVER, BATCH],
            [],
            f"something of it runs on n1 already, not started by Backstay (it says so): stop it there; {STOP_WEB} stops web.service",
            id="an older agent, and it may be either",
        ),
        pytest.param([SERVER], ["renamed"],
            f"n1 runs web.service already, not started by Backstay: {STOP_WEB}", id="of an earlier manifest"),
    ],
)  # fmt: skip
def test_what_is_to_be_stopped_is_what_the_host_names_as_running(
    resources: list[dict[str, object]], running: list[str], why: str
) -> None:
    world = a_world("n1")
    service = a_service("web", *resources)
    instance = put(world, service)
    say_ready(world, service, "n1", active=True, running=running, why="it says so")
    assert first_epoch.blocked(world, service, instance) == why


def test_a_host_that_cannot_say_holds_up_what_an_edit_has_brought_too() -> None:
    world = a_world("n1", "n2")
    service = a_service("web", LEGACY)
    instance = put(world, service, epoch=1, host="n1")
    say_ready(world, service, "n2", active=True, unclear=True, why=EXITED)
    assert first_epoch.edit_blocked(world, service, instance, "n1") == f"n2 cannot say whether it runs there: {EXITED}"


def test_a_silent_host_that_could_not_say_is_told_from_one_that_ran_it() -> None:
    world = a_world("n1", "n2", "n3")
    service = a_service("web", LEGACY)
    instance = put(world, service)
    say_ready(world, service, "n1")
    say_ready(world, service, "n2", active=True, unclear=True, why=EXITED)
    say_ready(world, service, "n3", active=True, why=UP)
    silence(world, "n3")
    found = first_epoch.blocked(world, service, instance) or ""
    assert found.startswith(
        f"n2 cannot say whether it runs there: {EXITED}; n3 ran something of it, not started by Backstay, when"
    )
    silence(world, "n2")
    found = first_epoch.blocked(world, service, instance) or ""
    assert found.startswith(
        f"n2 could not say whether it runs there when it reported last ({EXITED}), and reports nothing now"
    )
