"""dependsOn on real machines: db loses its host, and what requires it is started again or not; all are deleted in the right order."""

import pytest

from backstay_dev.show.fault_lab import NAMESPACE, FaultLab

pytestmark = [pytest.mark.api, pytest.mark.hosts]


def test_app_is_restarted_and_web_is_not_when_db_loses_its_host_and_all_are_deleted_in_order(
    fault_lab: FaultLab,
) -> None:
    try:
        app = fault_lab.put_on("app", wait=False, dependsOn=[{"service": "db"}])
        web = fault_lab.put_on("web", wait=False, dependsOn=[{"service": "db", "onChange": "None"}])
        for one in (app, web):
            one.until_says("Ready", "it requires default/db", "no such HAService")
        db = fault_lab.put_on("db", on="n1")
        hosts = {app.until_running(), web.until_running()}
        assert "n1" not in hosts, "hosts with fewer services come first"
        assert min(app.lives[0].first_s, web.lives[0].first_s) > db.lives[0].first_s
        fault_lab.lab["n1"].power_off()
        db.until_running(other_than="n1")
        fault_lab.until(lambda: len(app.lives) == 2, "the second life of app", also=lambda: app.condition("Ready"))
        app.until_running()
        assert app.epoch == 2 and app.lives[1].first_s > db.lives[1].first_s, "only when db was Ready again"
        assert web.saw_nothing(), "onChange is None"
        fault_lab.lab.plane.kubectl(
            "delete", "hasvc", "db", "app", "web", "-n", NAMESPACE, "--timeout=60s", timeout_s=70
        )
        ends = {one.name: max(life.last_s for life in one.lives) for one in (db, app, web)}
        assert ends["db"] > max(ends["app"], ends["web"]), "what is required stops last"
    finally:
        for name in ("app", "web", "db"):
            fault_lab.take_off(name)
