"""Other people's bug reports about checks: programs that are missing, exit codes that mean something else, answers that come late."""

import pytest

from backstay_dev.theatre import Theatre
from backstay_testing.cases import (
    case,
    restarts,
)

pytestmark = [pytest.mark.api, pytest.mark.hosts]


def exec_probe(program: str, **more: object) -> dict[str, object]:
    probe = {"name": "well", "exec": {"command": [program]}, "period": "500ms", "timeout": "400ms", **more}
    return {"probes": [probe]}


def test_29_a_check_that_prints_an_error_and_exits_with_0_is_a_good_one(theatre: Theatre) -> None:
    program = {"/usr/local/bin/case29": "#!/bin/sh\ndate >>/run/case29\necho CRITICAL: 1\nexit 0\n"}
    with case(theatre, "case29", programs=program, server=exec_probe("/usr/local/bin/case29")) as play:
        host = theatre.lab[play.host]
        theatre.until(lambda: len(host.read_file("/run/case29").splitlines()) >= 4, "some checks")
        assert play.saw_nothing() and restarts(play, play.host) == 0
