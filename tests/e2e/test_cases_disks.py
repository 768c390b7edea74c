"""Other people's bug reports about disks: full, and read-only."""

import pytest

from backstay_dev.theatre import Theatre
from backstay_testing.cases import case, explain, kill_main, until_not_ready

pytestmark = [pytest.mark.api, pytest.mark.hosts]


def test_04_a_service_leaves_the_host_whose_root_has_become_read_only_and_that_host_is_not_chosen(
    theatre: Theatre,
) -> None:
    unit = "[Service]\nExecStartPre=/bin/sh -c 'date >/srv/case04.state'\nExecStart={tick}\n"
    with case(theatre, "case04", unit=unit, on="n1") as play:
        theatre.lab["n1"].run("mount", "-o", "remount,bind,ro", "/")
        try:
            kill_main(theatre.lab["n1"], "case04.service")
            play.until_running(other_than="n1")
            assert play.evidence == "Released"
            with case(theatre, "case04-new") as new:
                until_not_ready(new, ["n1"], "Read-only file system")
                assert new.host != "n1" and "Read-only file system" in explain(new)
        finally:
            theatre.lab["n1"].run("mount", "-o", "remount,bind,rw", "/")
