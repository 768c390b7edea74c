"""Other people's bug reports about units, put to real hosts: starts that take long, daemons that die unseen, work that is done elsewhere."""

import pytest

from backstay_dev.theatre import Theatre
from backstay_testing.cases import (  # noqa
    ALL,
    applied,
    case,
    host_status,
    kill_main,
    main_pid,
    move,
    presses,
    report_of,
    restarts,
    running_on,
    tick,
    unit_of,
    until_not_ready,
    until_ready,
)

pytestmark = [pytest.mark.api, pytest.mark.hosts]


def test_25_a_reload_is_no_failure_and_a_death_during_it_is_noticed(theatre: Theatre) -> None:
    unit = "[Service]\nExecStart={tick}\nExecReload=/usr/bin/sleep 2\n"
    with case(theatre, "case25", unit=unit) as play:
        host = theatre.lab[play.host]
        before = main_pid(host, "case25.service")
        host.run("systemctl", "reload", "case25.service")
        assert main_pid(host, "case25.service") == before and play.saw_nothing() and restarts(play, host.name) == 0
        host.run("systemctl", "reload", "--no-block", "case25.service")
        theatre.until(
            lambda: host.run("systemctl", "is-active", "case25.service", check=False).strip() == "reloading", "a reload"
        )
        kill_main(host, "case25.service")
        theatre.until(lambda: len(play.lives) == 2 and play.is_running(on=host.name), "its restart in place")
        assert play.epoch == 1


FAILING_STOP = """[Service]
KillMode=process
ExecStart=/bin/sh -c '{tick} & exec sleep infinity'
ExecStop=/bin/false
ExecStopPost=/bin/false
"""
FAILING_ONESHOT = """[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c '{tick} &'
ExecStop=/bin/false
"""


@pytest.mark.parametrize(
    ("name", "unit"),
    [pytest.param("case37", FAILING_STOP, id="simple"), pytest.param("case37-oneshot", FAILING_ONESHOT, id="oneshot")],
)
def test_37_stop_commands_that_fail_do_not_hold_up_a_move_and_nothing_is_left(
    theatre: Theatre, name: str, unit: str
) -> None:
    with case(theatre, name, unit=unit, on="n1") as play:
        play.until_running(on="n1")
        move(play, "n2")
        play.until_running(on="n2")
        assert play.evidence == "Released" and not any(presses(theatre, host) for host in ALL)
        assert [life.host for life in play.lives] == ["n1", "n2"]
        assert f"{name}-0 /shared" not in theatre.lab["n1"].run("ps", "axo", "args")
