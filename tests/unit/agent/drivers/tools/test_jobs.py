"""Whose act a start or a stop was, as systemd's jobs tell."""

import pytest

from backstay_agent.drivers.tools.jobs import Acts, Asked, admins_act


@pytest.mark.parametrize(
    ("asked", "active", "has_job", "was_up", "told"),
    [
        (None, "inactive", False, True, ""),
        (Asked("stop"), "deactivating", True, True, "stopped by an admin: systemctl stop x.service"),
        (Asked("stop"), "inactive", False, True, "stopped by an admin: systemctl stop x.service"),
        (Asked("restart"), "deactivating", True, True, "restarted by an admin: systemctl restart x.service"),
        (Asked("try-restart"), "inactive", True, True, "restarted by an admin: systemctl restart x.service"),
        (Asked("start"), "inactive", True, True, "restarted by an admin: systemctl restart x.service"),
        (Asked("start"), "activating", True, False, "started by an admin: systemctl start x.service"),
        (Asked("reload-or-start"), "activating", True, False, "started by an admin: systemctl start x.service"),
        (Asked("start"), "active", False, False, ""),  # it is up: nothing is left to tell
        (Asked("start"), "reloading", True, False, ""),
        (Asked("stop"), "inactive", False, False, "stopped by an admin: systemctl stop x.service"),
        (Asked("restart"), "activating", True, False, "restarted by an admin: systemctl restart x.service"),
        (Asked("start"), "failed", False, True, ""),
        (Asked("reload"), "deactivating", True, True, ""),  # it died meanwhile
        (Asked("reload-or-start"), "inactive", True, True, ""),
        (Asked("verify-active"), "inactive", True, True, ""),
        (Asked("nop"), "inactive", True, True, ""),
        (Asked("stop"), "inactive", True, True, "stopped by an admin: systemctl stop x.service"),
        (Asked("stop"), "failed", True, True, "stopped by an admin: systemctl stop x.service"),
        (Asked("reload"), "failed", False, True, ""),
        (Asked("verify-active"), "inactive", False, True, ""),
        (Asked(""), "inactive", False, True, "stopped by an admin: systemctl stop x.service"),
        (Asked(""), "inactive", True, True, "restarted by an admin: systemctl restart x.service"),
    ],
)
def test_whose_act_it_was(asked: Asked | None, active: str, has_job: bool, was_up: bool, told: str) -> None:
    assert admins_act("x.service", asked, active=active, has_job=has_job, was_up=was_up) == told


def test_what_we_act_on_is_ours_until_the_last_of_us_is_through() -> None:
    acts = Acts()
    with acts.on(["a.service", "b.service"]):
        with acts.on(["a.service"]):
            pass
        assert "a.service" in acts
    assert "a.service" not in acts
