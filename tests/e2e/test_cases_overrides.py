"""What a manifest says of what a unit may use, through the whole product: an edit that reaches what runs, one that restarts it, and a move."""

from typing import Any

import pytest

from backstay_dev.show.fault_lab import FaultLab, Play
from backstay_testing.cases import case, main_pid, move, until_ready

pytestmark = [pytest.mark.api, pytest.mark.hosts]

RELOADS = "[Service]\nExecStart={tick}\nExecReload=/bin/sh -c 'echo again >>/run/{name}-reloads'\n"
DROP_IN = "/run/systemd/system/case60.service.d/zy-backstay-overrides.conf"


def edited(play: Play, *, at: str | None = None, **overrides: str) -> None:
    server: dict[str, Any] = {"name": "server", "systemd": {"unit": f"{play.name}.service", "overrides": overrides}}
    address = {"name": "address", "virtualIP": {"address": f"{play.address}/24"}}
    play.fault_lab.apply(play.name, {"resources": [{**server, **({"reloadedAt": at} if at else {})}, address]})


def says(play: Play, host: str, setting: str) -> str:
    """As systemd has it on that host."""
    words = ("systemctl", "show", "--value", f"--property={setting}", f"{play.name}.service")
    return play.fault_lab.lab[host].run(*words).strip()


def test_60_an_edit_reaches_what_runs_or_restarts_it_and_a_move_takes_it_along(fault_lab: FaultLab) -> None:
    with case(fault_lab, "case60", unit=RELOADS) as play:
        host, lab = play.host, fault_lab.lab
        pid = main_pid(lab[host], "case60.service")
        edited(play, MemoryMax="2G")
        fault_lab.until(lambda: says(play, host, "MemoryMax") == str(2 << 30), "the new limit of its memory")
        edited(play, MemoryMax="2G", at="noon")
        reloads = "/run/case60-reloads"
        fault_lab.until(lambda: lab[host].run("cat", reloads, check=False) == "again\n", "its reload")
        assert main_pid(lab[host], "case60.service") == pid and len(play.lives) == 1, "it was restarted"

        edited(play, MemoryMax="2G", LimitNOFILE="4321", at="noon")
        fault_lab.until(
            lambda: len(play.lives) == 2 and says(play, host, "LimitNOFILE") == "4321", "another life with it"
        )
        until_ready(play, on=host)
        assert lab[host].run("cat", reloads) == "again\n", "a start needs no reload"

        other = next(name for name in lab.hosts if name != host)
        move(play, other)
        until_ready(play, on=other)
        assert (says(play, other, "LimitNOFILE"), says(play, other, "MemoryMax")) == ("4321", str(2 << 30))
        assert lab[host].run("ls", DROP_IN, check=False) == "" and says(play, host, "LimitNOFILE") != "4321"


def test_61_what_would_defeat_the_gate_is_refused_by_the_api_server_with_a_sentence(fault_lab: FaultLab) -> None:
    with case(fault_lab, "case61") as play:
        for name in ("Restart", "ExecStart", "Slice", "KillMode"):
            with pytest.raises(
                Exception, match="what starts, stops, restarts or contains a unit stands in its own file"
            ):
                edited(play, **{name: "always"})
        edited(play, Nice="77")
        play.until_says("Accepted", "False", "Nice=77 is not understood: give a number from -20 to 19")
        assert len(play.lives) == 1
