"""What stands in a survey, and what need comes of it by which rule: the table for `test_rules.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backstay_api.objects.survey import (
    AccountFacts,
    CertificateFacts,
    EndpointFacts,
    MountFacts,
    PackageFacts,
    PathFacts,
    ProgramFacts,
    SettingFacts,
    SocketFacts,
    TreeFacts,
    UnitFacts,
)
from backstay_cli.drafting.needs import Confidence
from backstay_cli.drafting.recipes import Baseline, Recipe
from backstay_testing.surveys import UNIT, a_path, a_survey

BASELINE = Baseline(("/etc/hosts", "/etc/init.d*"), ("dbus.service",))
DAY = TreeFacts(10, 1000, 0, 0)
BUSY = TreeFacts(10, 1000, 500, 900)
MUCH = TreeFacts(5000, 10**9, 0, 0)
HUGE = TreeFacts(10, 10**10, 10**9, 10**9)
RECIPE = Recipe(
    "shop",
    ("/usr/sbin/shop",),
    ("/etc/shop/shop.conf",),
    volatile=("/var/lib/shop/scratch",),
    sysctls=("vm.x",),
    careful=("libicu*",),
    replicates="its own",
)
SHOP = a_path("/usr/sbin/shop", "Executed", package="shop")
PROGRAM = ProgramFacts("/usr/sbin/shop", (7,), 33, 33, (33, 103))


def a_folder(path: str, tree: TreeFacts | None, how: Any = "Mentioned", **fields: Any) -> PathFacts:
    return a_path(path, how, "/etc/x.conf:1", "root", type="Directory", tree=tree, **fields)


def unit(name: str, role: Any, **fields: Any) -> UnitFacts:
    return UnitFacts(name, role=role, load_state="loaded", **fields)


def units(*more: UnitFacts) -> tuple[UnitFacts, ...]:
    return (replace(UNIT, fragment="/usr/lib/systemd/system/shop.service"), *more)


def listens(local: str, port: int = 80) -> SocketFacts:
    return SocketFacts("tcp", "Listens", local, port)


S, L, M = Confidence.SURE, Confidence.LIKELY, Confidence.MAYBE

ROWS: list[Any] = [
    pytest.param(1, a_survey(), "systemd", {"unit": "shop.service"}, S, "Move", id="the unit"),
    pytest.param(
        2,
        a_survey(units=units(unit("shop.socket", "Starts"))),
        "systemd",
        {"unit": "shop.socket"},
        S,
        "Move",
        id="its socket",
    ),
    pytest.param(
        3,
        a_survey(units=units(unit("db.service", "Requires"))),
        "systemd",
        {"unit": "db.service"},
        L,
        "Move",
        id="a unit of its own",
    ),
    pytest.param(
        4,
        a_survey(units=units(unit("db.service", "Requires", users=("x.service",)))),
        "systemd",
        {"unit": "db.service"},
        S,
        "Undecided",
        id="a unit of others too",
    ),
    pytest.param(
        5,
        a_survey(units=units(unit("redis.service", "Peer", link="/run/r.sock"))),
        "systemd",
        {"unit": "redis.service"},
        S,
        "Undecided",
        id="a peer",
    ),
    pytest.param(6, a_survey(), "setting", {"units": ["shop.service"]}, S, "Duplicate", id="a unit of an admin's"),
    pytest.param(7, a_survey(SHOP, programs=(PROGRAM,)), "package", {"name": "shop"}, S, "Duplicate", id="the package"),
    pytest.param(
        8,
        a_survey(
            SHOP,
            a_path("/usr/lib/libicu.so", "Mapped", package="libicu72"),
            programs=(PROGRAM,),
            packages=(PackageFacts("libicu72", "72"),),
        ),
        "package",
        {"name": "libicu72"},
        S,
        "Duplicate",
        id="a library that matters",
    ),
    pytest.param(
        9,
        a_survey(a_path("/usr/local/sbin/shopd", "Executed")),
        "file",
        {"path": "/usr/local/sbin/shopd"},
        S,
        "Duplicate",
        id="a program of no package",
    ),
    pytest.param(
        9,
        a_survey(a_path("/opt/shop/bin/shopd", "Mapped")),
        "path",
        {"path": "/opt/shop"},
        S,
        "Duplicate",
        id="a tree of no package",
    ),
    pytest.param(
        9,
        a_survey(a_path("/usr/local/bin/hook", "Mentioned", "/etc/x:1", mode=0o755)),
        "file",
        {"path": "/usr/local/bin/hook"},
        L,
        "Duplicate",
        id="a program that is named",
    ),
    pytest.param(
        10,
        a_survey(a_path("/opt/shop/lib/app.py", "Argument")),
        "path",
        {"path": "/opt/shop"},
        L,
        "Duplicate",
        id="an application",
    ),
    pytest.param(
        11,
        a_survey(
            a_path(
                "/etc/ssl/a.pem",
                "Mentioned",
                "/etc/x:1",
                certificate=CertificateFacts("2030-01-01", key="/etc/ssl/a.key"),
            )
        ),
        "certificate",
        {"path": "/etc/ssl/a.pem", "key": "/etc/ssl/a.key"},
        L,
        "Duplicate",
        id="a certificate",
    ),
    pytest.param(
        12,
        a_survey(a_path("/etc/credstore.encrypted/t", "Credential")),
        "file",
        {"path": "/etc/credstore.encrypted/t"},
        S,
        "Duplicate",
        id="a sealed credential",
    ),
    pytest.param(
        13,
        a_survey(a_path("/etc/keytab", "Mentioned", "/etc/x:1", is_secret=True)),
        "file",
        {"path": "/etc/keytab"},
        L,
        "Duplicate",
        id="a secret",
    ),
    pytest.param(
        14,
        a_survey(a_path("/etc/shop/a"), a_path("/etc/shop/conf.d/b")),
        "path",
        {"path": "/etc/shop"},
        S,
        "Duplicate",
        id="a folder",
    ),
    pytest.param(
        15,
        a_survey(a_path("/etc/default/shop", "Environment")),
        "file",
        {"path": "/etc/default/shop"},
        S,
        "Duplicate",
        id="a single file",
    ),
    pytest.param(
        15,
        a_survey(a_path("/etc/pam.d/shop", "Place", "conffile of shop")),
        "file",
        {"path": "/etc/pam.d/shop"},
        M,
        "Duplicate",
        id="a file by its place alone",
    ),
    pytest.param(
        17,
        a_survey(
            programs=(PROGRAM,), accounts=(AccountFacts("User", "shop", 33, 33), AccountFacts("Group", "ssl-cert", 103))
        ),
        "setting",
        {"user": "shop", "groups": ["ssl-cert"]},
        S,
        "Duplicate",
        id="a user with a group",
    ),
    pytest.param(
        18,
        a_survey(
            SHOP,
            programs=(PROGRAM,),
            settings=(SettingFacts("Sysctl", "vm.x", "1", "/etc/sysctl.d/a.conf:1"), SettingFacts("Sysctl", "net.y")),
        ),
        "setting",
        {"sysctl": "vm.x"},
        L,
        "Duplicate",
        id="a setting of the kernel",
    ),
    pytest.param(
        19,
        a_survey(
            a_folder("/srv/media", None, mount_point="/srv/media"),
            mounts=(MountFacts("/srv/media", "nfs4", "nas:/media", is_network=True, is_shared=True),),
        ),
        "mount",
        {"device": "nas:/media", "path": "/srv/media", "fsType": "nfs4"},
        L,
        "Share",
        id="a shared filesystem",
    ),
    pytest.param(
        20,
        a_survey(a_folder("/var/lib/shop", BUSY, "Written")),
        "path",
        {"path": "/var/lib/shop"},
        S,
        "Undecided",
        id="little state, written often",
    ),
    pytest.param(
        20,
        a_survey(a_folder("/var/lib/shop", DAY, "Written")),
        "path",
        {"path": "/var/lib/shop"},
        S,
        "Duplicate",
        id="little, written rarely",
    ),
    pytest.param(
        20,
        a_survey(a_folder("/var/lib/shop", replace(DAY, is_cut=True, young_day=100), "Written")),
        "path",
        {"path": "/var/lib/shop"},
        S,
        "Undecided",
        id="more than was counted",
    ),
    pytest.param(
        22, a_survey(a_folder("/srv/shop", DAY)), "path", {"path": "/srv/shop"}, L, "Duplicate", id="a document root"
    ),
    pytest.param(
        22,
        a_survey(a_folder("/srv/shop", MUCH)),
        "path",
        {"path": "/srv/shop", "maxFiles": 10_000, "maxBytes": 2_000_000_000},
        L,
        "Duplicate",
        id="a large one, rarely changed",
    ),
    pytest.param(
        22,
        a_survey(a_folder("/srv/shop", HUGE)),
        "path",
        {"path": "/srv/shop"},
        L,
        "Undecided",
        id="a large one, often changed",
    ),
    pytest.param(
        25,
        a_survey(sockets=(listens("192.0.2.9"),)),
        "virtualIP",
        {"address": "192.0.2.9/24"},
        S,
        "Undecided",
        id="one address",
    ),
    pytest.param(
        26,
        a_survey(sockets=(listens("::"),)),
        "virtualIP",
        {"address": "192.0.2.100/24"},
        S,
        "Undecided",
        id="every address",
    ),
    pytest.param(
        27,
        a_survey(
            endpoints=(EndpointFacts("db", 5432, "/etc/x:1"),),
            sockets=(SocketFacts("tcp", "Connects", "", 5432, "db", 2),),
        ),
        "endpoint",
        {"tcp": "db:5432"},
        L,
        "External",
        id="another host",
    ),
    pytest.param(
        27,
        a_survey(endpoints=(EndpointFacts("db", 5432, "/etc/x:1"),)),
        "endpoint",
        {"tcp": "db:5432"},
        M,
        "External",
        id="another host that is only named",
    ),
    pytest.param(
        28,
        a_survey(units=units(unit("backup.timer", "Follows"))),
        "systemd",
        {"unit": "backup.timer"},
        L,
        "Move",
        id="a timer",
    ),
    pytest.param(
        29,
        a_survey(a_path("/dev/ttyUSB0", type="Device")),
        "device",
        {"path": "/dev/ttyUSB0"},
        S,
        "Undecided",
        id="a device",
    ),
    pytest.param(
        30,
        a_survey(endpoints=(EndpointFacts("db", 5432, "/etc/x:1"),)),
        "file",
        {"path": "/etc/resolv.conf"},
        M,
        "Duplicate",
        id="the resolver",
    ),
]


LEFT_OUT: list[Any] = [
    pytest.param(
        16,
        a_survey(endpoints=(EndpointFacts("n1", 80, "/etc/x:1"),)),
        "/etc/x:1",
        id="configuration that names the host",
    ),
    pytest.param(23, a_survey(a_path("/run/shop.pid")), "/run/shop.pid", id="what is made at each start"),
    pytest.param(
        23,
        a_survey(SHOP, a_path("/var/lib/shop/scratch/1"), programs=(PROGRAM,)),
        "/var/lib/shop/scratch/1",
        id="scratch that a recipe knows",
    ),
    pytest.param(24, a_survey(a_path("/var/log/shop.log", "Written")), "/var/log/shop.log", id="a log"),
    pytest.param(30, a_survey(a_path("/etc/hosts")), "/etc/hosts", id="what every program reads"),
    pytest.param(31, a_survey(a_path("/boot/x")), "/boot", id="anything else"),
]
