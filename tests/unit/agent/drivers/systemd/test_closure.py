"""What a unit stands for, and whether its word is enough: pure tables over systemd's properties."""

from typing import Any

import pytest

from backstay_agent.drivers.systemd.closure import closure, neighbours, outside_wishes, pulled_in_by
from backstay_agent.drivers.systemd.fitness import not_fit
from backstay_agent.drivers.tools.sentences import stop_failed

LOADED: dict[str, Any] = {"LoadState": "loaded"}
TRUE: dict[str, Any] = LOADED | {
    "Type": "oneshot",
    "RemainAfterExit": True,
    "ExecStart": [("/bin/true", ["/bin/true"])],
}
SERVER: dict[str, Any] = LOADED | {"Type": "simple", "ExecStart": [("/usr/bin/server", ["/usr/bin/server"])]}
PG, WORKER = "postgresql.service", "postgresql@15-main.service"
DEBIAN = {
    PG: TRUE | {"Wants": [WORKER], "ConsistsOf": [WORKER], "WantedBy": ["multi-user.target"]},
    WORKER: LOADED | {"WantedBy": [PG], "PartOf": [PG], "Requires": ["system.slice", "-.mount"]},
}


@pytest.mark.parametrize(
    ("unit", "known", "members"),
    [
        pytest.param(PG, DEBIAN, (PG, WORKER), id="Debian's PostgreSQL"),
        pytest.param(WORKER, DEBIAN, (WORKER,), id="the worker stands for itself, not for its umbrella"),
        pytest.param(
            PG,
            DEBIAN | {WORKER: DEBIAN[WORKER] | {"WantedBy": [PG, "multi-user.target"]}},
            (PG, WORKER),
            id="a part is a part whoever else wants it",
        ),
        pytest.param(
            "web.service",
            {
                "web.service": LOADED | {"Wants": ["redis.service"]},
                "redis.service": LOADED | {"WantedBy": ["multi-user.target"]},
            },
            ("web.service",),
            id="what the host wants as well is the host's",
        ),
        pytest.param(
            "web.service",
            {
                "web.service": LOADED | {"Requires": ["job.service"]},
                "job.service": LOADED | {"RequiredBy": ["web.service"]},
            },
            ("web.service", "job.service"),
            id="what only it requires",
        ),
        pytest.param(
            "web.service",
            {"web.service": LOADED | {"Upholds": ["job.service"]}, "job.service": LOADED},
            ("web.service", "job.service"),
            id="systemd told one end of it only",
        ),
        pytest.param(
            "web.service",
            {
                "web.service": LOADED | {"TriggeredBy": ["web.socket"]},
                "web.socket": LOADED | {"Triggers": ["web.service"], "WantedBy": ["sockets.target"]},
            },
            ("web.service", "web.socket"),
            id="its own socket, enabled",
        ),
        pytest.param(
            "rpcbind.service",
            {
                "rpcbind.service": LOADED | {"Requires": ["rpcbind.socket"], "TriggeredBy": ["rpcbind.socket"]},
                "rpcbind.socket": LOADED
                | {"Triggers": ["rpcbind.service"], "WantedBy": ["sockets.target"], "RequiredBy": ["rpcbind.service"]},
            },
            ("rpcbind.service", "rpcbind.socket"),
            id="its own socket also where many use both: who names one means both",
        ),
        pytest.param(
            "nfs.service",
            {
                "nfs.service": LOADED | {"Requires": ["rpcbind.service"]},
                "rpcbind.service": LOADED | {"RequiredBy": ["nfs.service"], "TriggeredBy": ["rpcbind.socket"]},
                "rpcbind.socket": LOADED | {"Triggers": ["rpcbind.service"]},
            },
            ("nfs.service",),
            id="what many use, and one pulls in here, stays the host's with its socket",
        ),
        pytest.param(
            "web.service",
            {
                "web.service": LOADED
                | {"OnSuccess": ["again.service"], "OnFailure": ["mail@web.service"], "OnFailureOf": []},
                "again.service": LOADED | {"OnSuccessOf": ["web.service"]},
                "mail@web.service": LOADED | {"OnFailureOf": ["web.service"]},
            },
            ("web.service", "again.service", "mail@web.service"),
            id="what starts because it has ended",
        ),
        pytest.param(
            "web.service",
            {
                "web.service": LOADED | {"OnFailure": ["mail.service"], "OnFailureOf": []},
                "mail.service": LOADED | {"OnFailureOf": ["web.service", "cron.service"]},
            },
            ("web.service",),
            id="who is called when others fail as well is the host's",
        ),
        pytest.param(
            "web.service",
            {"web.service": LOADED | {"OnFailure": ["mail.service"]}, "mail.service": LOADED},
            ("web.service",),
            id="an older systemd does not say who else calls it",
        ),
        pytest.param(
            "nfs.service",
            {
                "nfs.service": LOADED | {"Wants": ["rpc-statd.service"]},
                "rpc-statd.service": LOADED | {"WantedBy": ["nfs.service"]},
            },
            ("nfs.service",),
            id="what the kernel's helpers start by name when a disk is mounted",
        ),
        pytest.param(
            "web.socket",
            {"web.service": LOADED, "web.socket": LOADED | {"Triggers": ["web.service"]}},
            ("web.socket", "web.service"),
            id="what a socket starts",
        ),
        pytest.param(
            "web.service",
            {
                "web.service": LOADED | {"Requires": ["cups.service"]},
                "cups.service": LOADED | {"RequiredBy": ["web.service"], "TriggeredBy": ["cups.socket"]},
                "cups.socket": LOADED | {"Triggers": ["cups.service"], "WantedBy": ["sockets.target"]},
            },
            ("web.service",),
            id="what a socket of the host can wake is the host's",
        ),
        pytest.param(
            "app.target",
            {
                "app.target": LOADED | {"Wants": ["a@1.service", "a@2.service"]},
                "a@1.service": LOADED | {"WantedBy": ["app.target"], "Wants": ["log.service"]},
                "a@2.service": LOADED | {"WantedBy": ["app.target"], "Wants": ["log.service"]},
                "log.service": LOADED | {"WantedBy": ["a@1.service", "a@2.service"]},
            },
            ("app.target", "a@1.service", "a@2.service", "log.service"),
            id="target, template instances, and what they share",
        ),
        pytest.param(
            "a.service",
            {
                "a.service": LOADED | {"Wants": ["b.service"]},
                "b.service": LOADED | {"WantedBy": ["a.service", "x.service"], "Wants": ["c.service"]},
                "c.service": LOADED | {"WantedBy": ["b.service"]},
            },
            ("a.service",),
            id="what is pulled in by the host's is the host's",
        ),
        pytest.param(
            "db.service",
            {
                "db.service": LOADED | {"Requires": ["srv-db.mount", "var.mount", "by-hand.mount"]},
                "srv-db.mount": LOADED
                | {"RequiredBy": ["db.service"], "FragmentPath": "/run/systemd/generator/srv-db.mount"},
                "var.mount": LOADED | {"RequiredBy": ["db.service", "local-fs.target"], "FragmentPath": "/etc/fstab"},
                "by-hand.mount": LOADED | {"RequiredBy": ["db.service"], "FragmentPath": ""},
            },
            ("db.service", "srv-db.mount"),
            id="a mount that only it asks for is unmounted with it",
        ),
        pytest.param(
            "web.service",
            {"web.service": LOADED | {"Wants": ["network-online.target", "dbus.socket", "nss-lookup.target"]}},
            ("web.service",),
            id="the host's own are never asked about",
        ),
        pytest.param(
            "web.service",
            {
                "web.service": LOADED | {"Wants": ["p.service"]},
                "p.service": LOADED | {"Type": "dbus", "WantedBy": ["web.service"]},
            },
            ("web.service",),
            id="whoever is on the bus may start it",
        ),
        pytest.param(
            "web.service",
            {"web.service": LOADED | {"Wants": ["gone.service"]}, "gone.service": {"LoadState": "not-found"}},
            ("web.service",),
            id="what is not installed",
        ),
    ],
)
def test_what_a_unit_stands_for(unit: str, known: dict[str, dict[str, Any]], members: tuple[str, ...]) -> None:
    assert closure(unit, known) == members


def test_a_circle_ends() -> None:
    known = {
        "a.service": LOADED | {"Wants": ["b.service"], "WantedBy": ["b.service"]},
        "b.service": LOADED | {"Wants": ["a.service"], "WantedBy": ["a.service"]},
    }
    assert closure("a.service", known) == ("a.service", "b.service")
    assert neighbours("a.service", {"a.service": known["a.service"]}) == {"a.service", "b.service"}


def test_who_else_starts_a_unit() -> None:
    called = {"web.service": LOADED | {"OnFailure": ["mail.service"], "OnFailureOf": []}}
    called["mail.service"] = LOADED | {"PartOf": ["web.service"], "OnFailureOf": ["web.service", "cron.service"]}
    assert outside_wishes("mail.service", called, ["web.service"]) == set(), "who is called is not started with it"
    assert outside_wishes(WORKER, DEBIAN, [WORKER]) == {PG}
    assert outside_wishes(WORKER, DEBIAN, [WORKER, PG]) == set()


def fit(properties: dict[str, Any], **others: dict[str, Any]) -> str:
    known = {"x.service": properties, **{name.replace("_", "."): other for name, other in others.items()}}
    return not_fit("x.service", known, pulled_in_by("x.service", known), asked=False) or "fit"


def starts(line: str) -> dict[str, Any]:
    words = line.split()
    return SERVER | {"ExecStart": [(words[0], words)]}


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        (SERVER, "fit"),
        (TRUE, "x.service does nothing itself and pulls nothing in"),
        (TRUE | {"ExecStart": []}, "does nothing itself"),
        (TRUE | {"ExecStart": [("/bin/sh", ["/bin/sh", "-c", "exit 0"])]}, "does nothing itself"),
        (starts("/usr/bin/nft -f /etc/x") | {"Type": "oneshot"}, "has no ExecStop=, so stopping it would undo nothing"),
        (
            starts("/usr/bin/nft -f /etc/x") | {"Type": "oneshot", "ExecStop": [("/usr/bin/nft", ["nft", "flush"])]},
            "give the resource a probe (exec)",
        ),
        (starts("/usr/bin/docker run --rm db"), "has its work done by docker"),
        (starts("/usr/bin/docker --log-level warn compose -f x.yaml up"), "has its work done by docker"),
        (starts("/bin/sh -c cd /srv && docker start db"), "has its work done by docker"),
        (starts("/usr/bin/virsh start vm"), "has its work done by virsh"),
        (starts("/usr/bin/machinectl start box"), "has its work done by machinectl"),
        (starts("/usr/bin/systemd-run --unit=far sleep 5"), "has its work done by systemd-run"),
        (
            starts("/usr/bin/systemd-run --scope sleep 5"),
            "starts its work by systemd-run --scope, in a scope of its own",
        ),
        (starts("/usr/bin/podman run -d db"), "fit"),
        (starts("/usr/bin/dockerd -H fd://"), "fit"),
        (starts("/bin/systemctl start real.service"), "name the unit that x.service starts by systemctl"),
        (starts("/bin/systemctl enable --now real.service"), "name the unit that x.service starts by systemctl"),
        (starts("/bin/systemctl enable real.service"), "fit"),
        (starts("/bin/systemctl isolate real.target"), "name the unit that x.service starts by systemctl"),
        (starts("/usr/sbin/service real start"), "name the unit that x.service starts by service"),
        (starts("/opt/app --mode service start"), "fit"),
        (starts("/usr/bin/docker stack deploy -c x.yaml db"), "has its work done by docker"),
        (starts("/usr/bin/podman --remote run -d db"), "has its work done by podman --remote"),
        (
            SERVER | {"ExecStartPre": [("/bin/systemctl", ["/bin/systemctl", "start", "real.service"])]},
            "name the unit that x.service starts by systemctl",
        ),
        (
            SERVER | {"ExecStartPost": [("/usr/bin/docker", ["/usr/bin/docker", "run", "-d", "db"])]},
            "has its work done by docker",
        ),
        (
            SERVER | {"ExecStartPost": [("/bin/systemctl", ["/bin/systemctl", "set-environment", "A=start"])]},
            "fit",
        ),
        (SERVER | {"StopWhenUnneeded": True}, "StopWhenUnneeded=yes"),
        (SERVER | {"RuntimeMaxUSec": 60_000_000}, "RuntimeMaxSec="),
        (SERVER | {"RuntimeMaxUSec": (1 << 64) - 1}, "fit"),
        (SERVER | {"FailureAction": "reboot"}, "FailureAction=reboot"),
        (SERVER | {"FailureAction": "none"}, "fit"),
        (SERVER | {"OnFailure": ["reboot.target"]}, "OnFailure=reboot.target"),
        (SERVER | {"OnSuccess": ["systemd-poweroff.service"]}, "OnSuccess=systemd-poweroff.service"),
        (SERVER | {"OnFailure": ["mail@x.service", "exit-codes.service"]}, "fit"),
    ],
)
def test_units_that_say_too_little_or_would_not_stay(properties: dict[str, Any], sentence: str) -> None:
    assert sentence in fit(properties)


@pytest.mark.parametrize(
    ("kind", "other", "sentence"),
    [
        (
            "BindsTo",
            {"LoadState": "not-found"},
            "needs o.service (BindsTo=), which this host does not have (not-found)",
        ),
        ("Requires", {"LoadState": "masked"}, "needs o.service (Requires=), which this host does not have (masked)"),
        ("Requisite", LOADED | {"ActiveState": "inactive"}, "needs o.service (Requisite=), which is inactive"),
        ("Requires", LOADED | {"ActiveState": "inactive"}, "fit"),
        ("Wants", {"LoadState": "not-found"}, "fit"),
        ("Conflicts", LOADED | {"ActiveState": "active"}, "Conflicts=o.service, which is active here"),
        ("Conflicts", LOADED | {"ActiveState": "inactive"}, "fit"),
    ],
)
def test_what_it_needs_and_what_it_cannot_stand(kind: str, other: dict[str, Any], sentence: str) -> None:
    assert sentence in fit(SERVER | {kind: ["o.service"]}, o_service=other)


def test_an_umbrella_names_who_does_the_work() -> None:
    def why(known: dict[str, dict[str, Any]]) -> str | None:
        return not_fit(PG, known, pulled_in_by(PG, known), asked=True)

    assert why(DEBIAN) == f"name {WORKER}: {PG} only pulls it in"
    third = "postgresql@16-main.service"
    two = DEBIAN | {PG: DEBIAN[PG] | {"Wants": [WORKER, third]}, third: LOADED}
    assert why(two) == f"name {WORKER} and {third}: {PG} only pulls them in"


@pytest.mark.parametrize(
    "line",
    [
        "/usr/bin/env true",
        "/bin/sh -ec true",
        "/bin/sh -c true; true",
        "/bin/sh -c : && exit 0",
        "/usr/bin/logger the database is up & running",
        "/bin/sleep infinity",
        "/bin/sleep 86400",
        "/bin/sleep 365d",
        "/usr/bin/tail -f /dev/null",
        "/bin/sh -c exec sleep infinity",
    ],
)
@pytest.mark.parametrize("kind", ["oneshot", "simple", "exec"])
def test_an_umbrella_however_it_does_nothing(line: str, kind: str) -> None:
    """One whose parts others want as well does not stop them, and runs beside them on every host."""
    umbrella = starts(line) | {
        "Type": kind,
        "RemainAfterExit": True,
        "Wants": [WORKER],
        "ExecStop": [("/bin/true", [])],
    }
    worker = LOADED | {"WantedBy": ["x.service", "multi-user.target"]}
    known = {"x.service": umbrella, WORKER: worker}
    said = not_fit("x.service", known, pulled_in_by("x.service", known), asked=True)
    assert said == f"name {WORKER}: x.service only pulls it in"


def test_a_server_that_only_waits_is_one() -> None:
    """As in tests; and where everything that it pulls in is its own, all of that is stopped with it."""
    waits = starts("/bin/sleep infinity")
    assert fit(waits) == "fit"
    known = {"x.service": waits | {"Wants": [WORKER]}, WORKER: LOADED | {"WantedBy": ["x.service"]}}
    assert not_fit("x.service", known, pulled_in_by("x.service", known), asked=False) is None


def test_instead_of_a_oneshot_unit_no_other_one_is_proposed() -> None:
    """As Debian's nfs-server, which pulls in one that loads a module."""
    loads = starts("/usr/sbin/modprobe rpcsec_gss") | {"Type": "oneshot"}
    nfs = starts("/usr/sbin/rpc.nfsd") | {"Type": "oneshot", "ExecStop": [("/usr/sbin/rpc.nfsd", ["rpc.nfsd", "0"])]}
    said = fit(nfs | {"Wants": ["module.service", "idmapd.service"]}, module_service=loads, idmapd_service=SERVER)
    assert said.endswith("give the resource a probe (exec), or name idmapd.service, which it pulls in")
    assert fit(nfs | {"Wants": ["module.service"]}, module_service=loads).endswith("give the resource a probe (exec)")


def test_a_comment_in_a_script_delegates_nothing_and_a_line_does() -> None:
    known = {"x.service": SERVER}
    assert (
        not_fit("x.service", known, (), asked=False, scripts=["#!/bin/sh\n# as docker run does\nexec sleep 5\n"])
        is None
    )
    assert not_fit("x.service", known, (), asked=False, scripts=["#!/bin/sh\ndocker run -d db\n"]) is not None
    # A server that also pokes another unit does its work itself.
    assert (
        not_fit("x.service", known, (), asked=False, scripts=["#!/bin/sh\nsystemctl restart other\nexec srv\n"]) is None
    )


FAILED = {
    "ActiveState": "failed",
    "Result": "exit-code",
    "ActiveEnterTimestampMonotonic": 9,
    "InactiveExitTimestampMonotonic": 5,
}
REMAINS: dict[str, Any] = {"RemainAfterExit": True, "ActiveExitTimestampMonotonic": 20}


@pytest.mark.parametrize(
    ("properties", "fails"),
    [
        (FAILED | {"Type": "oneshot"}, True),
        (FAILED | {"Type": "simple"}, False),
        (FAILED | {"Where": "/srv"}, False),
        (FAILED | {"Type": "oneshot", "ActiveEnterTimestampMonotonic": 3}, False),  # it was its start that failed
        (FAILED | {"Type": "oneshot", "ActiveState": "inactive"}, False),
        # Of a kind that has a main process, and it had ended, well, long before the stop.
        (FAILED | {"Type": "simple", **REMAINS, "ExecMainExitTimestampMonotonic": 10}, True),
        (FAILED | {"Type": "exec", **REMAINS, "ExecMainExitTimestampMonotonic": 10}, True),
        (FAILED | {"Type": "simple", **REMAINS, "ExecMainExitTimestampMonotonic": 21}, False),
        (FAILED | {"Type": "forking", **REMAINS, "ExecMainExitTimestampMonotonic": 0}, False),
    ],
)
def test_whose_failed_stop_is_none(properties: dict[str, Any], fails: bool) -> None:
    assert (stop_failed("x.service", properties) is not None) is fails
