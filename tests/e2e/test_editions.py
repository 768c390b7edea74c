"""Real hosts to which the content of a file is brought: checked on all before it is in place on any, and taken back where it does no good."""

import json

import pytest

from backstay_api.objects.editions import EDITION, edition_of
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab, Play
from backstay_testing.cases import ALL, case, host_status

pytestmark = [pytest.mark.api, pytest.mark.hosts]

CONF = "/etc/shop/brought/app.conf"
CHECK = "/usr/local/bin/check-app"
PROGRAMS = {
    CHECK: f"#!/bin/sh\ngrep -n bad {CONF} >&2 && exit 3\ngrep -q . /etc/shop/brought/beside.conf\n",
    "/usr/local/bin/reload-app": (
        f"#!/bin/sh\nif grep -q broken {CONF}; then touch /run/app-broken; else rm -f /run/app-broken; fi\n"
    ),
    "/usr/local/bin/app-works": "#!/bin/sh\nif [ -e /run/app-broken ]; then echo the app is broken; exit 1; fi\n",
}
UNIT = "[Service]\nExecStartPre=/usr/local/bin/reload-app\nExecStart={tick}\nExecReload=/usr/local/bin/reload-app\n"
PROBE = {"name": "works", "exec": {"command": ["/usr/local/bin/app-works"]}, "period": "1s", "failureThreshold": 1}


def config(content: str) -> dict[str, object]:
    file = {"path": CONF, "content": content, "mode": "0640", "validate": [CHECK], "reload": ["server"]}
    return {"name": "config", "file": file}


def edit(play: Play, content: str) -> None:
    resources = [one if one["name"] != "config" else config(content) for one in play.object["spec"]["resources"]]
    patch = json.dumps({"spec": {"resources": resources}})
    play.fault_lab.lab.plane.kubectl("patch", "haservice", play.name, "-n", NAMESPACE, "--type=merge", "-p", patch)


def from_config_map() -> dict[str, object]:
    file = {"path": CONF, "mode": "0640", "validate": [CHECK], "reload": ["server"]}
    return {"name": "config", "file": {**file, "configMapKeyRef": {"name": "app-conf", "key": "app.conf"}}}


def config_map(fault_lab: FaultLab, **data: str) -> None:
    """As `kubectl edit` leaves it."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app-conf", "namespace": NAMESPACE}}
    said = {key.replace("_", "."): text for key, text in data.items()}
    fault_lab.lab.plane.kubectl("apply", "-f", "-", stdin=json.dumps({**body, "data": said}))


def there(play: Play, host: str) -> str:
    return play.fault_lab.lab[host].run("cat", CONF, check=False)


def proven(play: Play, host: str) -> str:
    """The edition that the service is proven to run well with there, as its agent has said it last."""
    status = host_status(play.fault_lab, host)
    findings = status["prerequisites"][play.instance["metadata"]["uid"]]["findings"]
    return str(next(one for one in findings if one["name"] == "config")["facts"].get(EDITION, ""))


def until_there(play: Play, content: str, *hosts: str) -> None:
    play.fault_lab.until(
        lambda: all(there(play, host) == content for host in hosts),
        f"{content!r} on {hosts}",
        also=lambda: f"{[there(play, host) for host in ALL]}; {play.condition('Degraded')}",
        timeout_s=60,
    )


def test_an_edit_reaches_all_hosts_and_one_that_is_wrong_none(fault_lab: FaultLab) -> None:
    for host in ALL:
        fault_lab.lab[host].write_file("/etc/shop/brought/beside.conf", "here\n")
    with case(
        fault_lab,
        "brought",
        unit=UNIT,
        programs=PROGRAMS,
        server={"probes": [PROBE]},
        resources=[config("one\n")],
    ) as play:
        first = play.host
        until_there(play, "one\n", *ALL)
        rights = fault_lab.lab["n2"].run("stat", "-c", "%U:%G %a", CONF).strip()
        assert rights == "root:root 640"
        play.until_says("StandbyReady", "could take over now")

        edit(play, "bad\n")
        play.until_says("Degraded", f"config: {CONF} stays as it was", "exited with 3", "1:bad")
        assert [there(play, host) for host in ALL] == ["one\n"] * 3
        play.until_says("StandbyReady", "could take over now")

        edit(play, "two\n")
        until_there(play, "two\n", *ALL)
        # What is still on trial is not what it would go back to; that it is in place is known before its host has said of a trial.
        two = edition_of("two\n", None, None, "0640")
        fault_lab.until(lambda: proven(play, first) == two, "two to be proven", timeout_s=90)

        edit(play, "broken\n")
        play.until_says("Degraded", f"config: {CONF} stays as it was: {first}: the service was not well with it")
        until_there(play, "two\n", *ALL)
        play.until_running(on=first)
        play.until_says("StandbyReady", "could take over now")

        fault_lab.lab[first].power_off()
        play.until_running(other_than=first)
        assert there(play, play.host) == "two\n"


def test_an_edit_of_a_config_map_goes_the_same_way_and_what_is_gone_there_stays_on_hosts(fault_lab: FaultLab) -> None:
    for host in ALL:
        fault_lab.lab[host].write_file("/etc/shop/brought/beside.conf", "here\n")
    config_map(fault_lab, app_conf="one\n")
    with case(
        fault_lab,
        "mapped",
        unit=UNIT,
        programs=PROGRAMS,
        server={"probes": [PROBE]},
        resources=[from_config_map()],
    ) as play:
        first = play.host
        until_there(play, "one\n", *ALL)
        play.until_says("StandbyReady", "could take over now")

        config_map(fault_lab, app_conf="bad\n")
        play.until_says("Degraded", f"config: {CONF} stays as it was", "exited with 3", "1:bad")
        assert [there(play, host) for host in ALL] == ["one\n"] * 3

        config_map(fault_lab, app_conf="two\n")
        until_there(play, "two\n", *ALL)
        two = edition_of("two\n", None, None, "0640")
        fault_lab.until(lambda: proven(play, first) == two, "two to be proven", timeout_s=90)

        config_map(fault_lab, app_conf="broken\n")
        play.until_says("Degraded", f"config: {CONF} stays as it was: {first}: the service was not well with it")
        until_there(play, "two\n", *ALL)

        fault_lab.lab.plane.kubectl("delete", "configmap", "app-conf", "-n", NAMESPACE)
        play.until_says("Degraded", f"config: {CONF} stays as it was: ConfigMap {NAMESPACE}/app-conf is not there")
        last = play.until_running()
        fault_lab.lab[last].power_off()
        play.until_running(other_than=last)
        # What was refused is what hosts were told last: not what they start with.
        assert there(play, play.host) == "two\n"


def from_secret() -> dict[str, object]:
    file = {"path": CONF, "validate": [CHECK], "reload": ["server"]}
    return {"name": "config", "file": {**file, "secretKeyRef": {"name": "app-pass", "key": "password"}}}


def secret(fault_lab: FaultLab, text: str) -> None:
    """As `kubectl edit` leaves it."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app-pass", "namespace": NAMESPACE}}
    fault_lab.lab.plane.kubectl("apply", "-f", "-", stdin=json.dumps({**body, "stringData": {"password": text}}))


def told_of_all(fault_lab: FaultLab, *hosts: str) -> str:
    """All that is stored but Secrets, all that our programs have logged, and what processes of hosts are called with."""
    plane = fault_lab.lab.plane
    kinds = "haservices,hainstances,hosts,hostassignments,fencerequests,resourceclaims,events,leases"
    stored = plane.kubectl("get", kinds, "--all-namespaces", "-o", "json")
    logs = [fault_lab.lab[host].run("journalctl", "-u", "backstay-agent", "--no-pager") for host in hosts]
    procs = [
        fault_lab.lab[host].run("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ", check=False)
        for host in hosts
    ]
    own = [child.log.read_text(errors="replace") for child in fault_lab.product.operators.values()]
    return "\n".join([stored, *logs, *procs, *own])


def test_a_password_comes_from_a_secret_once_an_admin_lets_it_and_is_told_nowhere(fault_lab: FaultLab) -> None:
    plane = fault_lab.lab.plane
    for host in ALL:
        fault_lab.lab[host].write_file("/etc/shop/brought/beside.conf", "here\n")
    secret(fault_lab, "hunter2-one\n")
    with case(
        fault_lab,
        "secret",
        unit=UNIT,
        programs=PROGRAMS,
        server={"probes": [PROBE]},
        resources=[from_secret()],
        wait=False,
    ) as play:
        refused = play.until_says("Accepted", "False NoAccess", "may not be read by the operator")
        plane.kubectl(*refused.partition("kubectl ")[2].split())
        first = play.until_running()
        until_there(play, "hunter2-one\n", *ALL)
        assert {fault_lab.lab[host].run("stat", "-c", "%U:%G %a", CONF).strip() for host in ALL} == {"root:root 600"}
        play.until_says("StandbyReady", "could take over now")

        secret(fault_lab, "hunter2-bad\n")
        play.until_says("Degraded", f"config: {CONF} stays as it was", "exited with 3", "its words are not told")
        assert [there(play, host) for host in ALL] == ["hunter2-one\n"] * 3

        secret(fault_lab, "hunter2-two\n")
        until_there(play, "hunter2-two\n", *ALL)
        plane.kubectl("delete", "rolebinding", "backstay-contents", "-n", NAMESPACE)
        play.until_says("Degraded", f"config: {CONF} stays as it was: Secret {NAMESPACE}/app-pass may not be read")
        fault_lab.lab[first].power_off()
        play.until_running(other_than=first)
        assert there(play, play.host).startswith("hunter2-")
        assert "hunter2" not in told_of_all(fault_lab, *(host for host in ALL if host != first))


RESTARTED = "[Service]\nExecStartPre=/usr/local/bin/check-start\nExecStart={tick}\n"
CHECK_START = f"#!/bin/sh\nif grep -q broken {CONF}; then echo the app is broken; exit 1; fi\n"


def test_what_reads_its_files_at_its_start_is_restarted_and_started_with_the_old_one_where_it_does_not_start(
    fault_lab: FaultLab,
) -> None:
    for host in ALL:
        fault_lab.lab[host].write_file("/etc/shop/brought/beside.conf", "here\n")
    with case(
        fault_lab,
        "restarted",
        unit=RESTARTED,
        programs={**PROGRAMS, "/usr/local/bin/check-start": CHECK_START},
        resources=[config("one\n")],
        rollout={"strategy": "Restart", "soak": "5s"},
    ) as play:
        first = play.host
        until_there(play, "one\n", *ALL)
        play.until_says("StandbyReady", "could take over now")

        edit(play, "two\n")
        until_there(play, "two\n", *ALL)
        two = edition_of("two\n", None, None, "0640")
        fault_lab.until(lambda: proven(play, first) == two, "two to be proven", timeout_s=60)

        edit(play, "broken\n")
        play.until_says("Degraded", f"config: {CONF} stays as it was: {first}")
        until_there(play, "two\n", *ALL)
        play.until_running(on=first)
        assert play.instance["spec"]["epoch"] == 1
