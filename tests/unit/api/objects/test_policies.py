"""What a policy allows: a table of patterns, and of what resources and probes ask for."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.models.resources import Resource
from backstay_api.objects.policies import Answer, PolicyRow, answer, items_of, runs_programs
from backstay_api.objects.policy_words import Word, allows, pattern_fault

FILE = "/etc/backstay/policy.d/10-shop.toml"
FOLDER = "/etc/backstay/policy.d"


@pytest.mark.parametrize(
    ("word", "pattern", "value", "is_allowed"),
    [
        pytest.param("units", "shop-*.service", "shop-web.service", True, id="a glob"),
        pytest.param("units", "shop-*.service", "ssh.service", False, id="another unit"),
        pytest.param("units", "shop@*.service", "shop@a.service", True, id="instances of a template"),
        pytest.param("units", "shop-*.service", "SHOP-web.service", False, id="upper case is another name"),
        pytest.param("units", "*.service", "shop.socket", False, id="another type"),
        pytest.param("paths", "/srv/shop/**", "/srv/shop/a/b", True, id="below"),
        pytest.param("paths", "/srv/shop/**", "/srv/shop", False, id="below is not at"),
        pytest.param("paths", "/srv/shop/**", "/srv/shop/../other", False, id="up and out"),
        pytest.param("paths", "/srv/shop/**", "/srv/shop/a/../../other", False, id="up and out, deeper"),
        pytest.param("paths", "/srv/shop/*", "/srv/shop/a/b", False, id="a star is one step"),
        pytest.param("paths", "/srv/*/data", "/srv//data", False, id="a star is no empty step"),
        pytest.param("paths", "/srv/*/data", "/srv/./data", False, id="nor the same folder"),
        pytest.param("paths", "/srv/shop/**", "/srv/shopping/a", False, id="a longer name"),
        pytest.param("devices", "/dev/shop/*", "/dev/shop/data", True, id="a volume of a group"),
        pytest.param("devices", "nas:/shop/*", "nas:/shop/a", True, id="an export"),
        pytest.param("devices", "nas:/shop/*", "nas:/shop/../b", False, id="an export up and out"),
        pytest.param("users", "shop", "root", False, id="another user"),
        pytest.param("users", "shop", "0", False, id="root by its number"),
        pytest.param("networks", "192.0.2.0/24", "192.0.2.7", True, id="an address of a network"),
        pytest.param("networks", "192.0.2.0/24", "::ffff:192.0.2.7", True, id="the same, mapped"),
        pytest.param("networks", "192.0.2.0/24", "198.51.100.7", False, id="an address of none"),
        pytest.param("networks", "192.0.2.0/24", "192.0.0.0/16", False, id="a wider network"),
        pytest.param("networks", "192.0.2.0/24", "192.0.2.128/25", True, id="a part of it"),
        pytest.param("networks", "2001:db8::/32", "192.0.2.7", False, id="the other family"),
        pytest.param("networks", "db.example", "db.example", True, id="a name that a probe asks"),
        pytest.param("networks", "192.0.2.0/24", "db.example", False, id="a name is no address"),
    ],
)
def test_what_one_text_is_allowed_by(word: Word, pattern: str, value: str, is_allowed: bool) -> None:
    assert allows(word, pattern, (value,)) is is_allowed


@pytest.mark.parametrize(
    ("word", "pattern", "value", "is_allowed"),
    [
        pytest.param("commands", "/usr/bin/shop", "/usr/bin/shop", True, id="a program alone"),
        pytest.param("commands", "/usr/bin/shop", "/usr/bin/shop --as root", False, id="…is not one with arguments"),
        pytest.param("commands", "/usr/bin/shop ...", "/usr/bin/shop --as root", True, id="any arguments"),
        pytest.param("commands", "/usr/bin/shop ...", "/usr/bin/shop", True, id="any, also none"),
        pytest.param("commands", "/usr/bin/shop start *", "/usr/bin/shop start a", True, id="one argument"),
        pytest.param("commands", "/usr/bin/shop start *", "/usr/bin/shop stop a", False, id="in its place"),
        pytest.param("commands", "/usr/bin/shop-*", "/usr/bin/shop-../../bin/sh", False, id="no way out of a folder"),
        pytest.param("commands", "/usr/bin/*", "/usr/bin/../../tmp/x", False, id="by two dots"),
        pytest.param("commands", "/opt/**", "/opt/../bin/sh", False, id="nor below"),
        pytest.param("commands", "/usr/bin/shop 'a b'", "/usr/bin/shop a b", False, id="a blank within a word"),
        pytest.param("agents", "heartbeat:IPaddr2 ip=192.0.2.*", "heartbeat:IPaddr2 ip=192.0.2.7", True, id="agent"),
        pytest.param("agents", "heartbeat:IPaddr2", "heartbeat:IPaddr2 ip=192.0.2.7", False, id="no parameter"),
        pytest.param("agents", "heartbeat:* ...", "heartbeat:anything binfile=/bin/sh", True, id="any parameters"),
        pytest.param("agents", "heartbeat:Dummy ...", "heartbeat:anything binfile=/bin/sh", False, id="another agent"),
        pytest.param("agents", "x:y b=* a=*", "x:y a=1 b=2", True, id="parameters have names, not places"),
        pytest.param("agents", "x:y f=/etc/x/*", "x:y f=/etc/x/../shadow", False, id="a path in a parameter"),
    ],
)
def test_what_several_words_are_allowed_by(word: Word, pattern: str, value: str, is_allowed: bool) -> None:
    assert allows(word, pattern, tuple(value.split())) is is_allowed


@pytest.mark.parametrize(
    ("word", "pattern", "why"),
    [
        pytest.param("units", "", "is empty", id="nothing"),
        pytest.param("networks", "192.0.2.7/24", "is no network", id="an address with a prefix"),
        pytest.param("networks", "192.0.2.*", "is no network", id="a glob"),
        pytest.param("networks", "db.example", "", id="a name"),
        pytest.param("commands", "shop", "absolute path", id="no path"),
        pytest.param("commands", "'/usr/bin/shop", "a quote that does not end", id="a quote"),
        pytest.param("paths", "srv/shop", "must be absolute", id="a relative path"),
    ],
)
def test_a_pattern_that_allows_nothing_is_a_mistake(word: Word, pattern: str, why: str) -> None:
    found = pattern_fault(word, pattern)
    assert (why in found) if why else not found


# --- what kinds ask for ----------------------------------------------------------------------------------------------


def asked(**resource: Any) -> dict[str, list[str]]:
    """By item and word, what must be allowed."""
    wire = Resource.model_validate({"name": "server", **resource})
    return {item.name: [one.text for one in item.asked] for item in items_of(wire)}


def test_a_unit_asks_for_its_name_and_its_variables() -> None:
    found = asked(systemd={"unit": "shop.service", "environment": {"LD_PRELOAD": "/tmp/x.so"}})
    assert found == {"server": ["unit shop.service", "variable LD_PRELOAD"]}


@pytest.mark.parametrize("kind", [{"systemd": {"unit": "a.service"}}, {"command": {"start": ["/a"], "stop": ["/a"]}}])
def test_settings_that_are_overridden_are_asked_for_by_their_names(kind: dict[str, Any]) -> None:
    ((field, spec),) = kind.items()
    settings = {"MemoryMax": "2G", "Nice": "-20"}
    told = asked(**{field: {**spec, "overrides": settings}})["server"]
    assert told == [*asked(**kind)["server"], "override MemoryMax", "override Nice"]


def test_an_address_asks_for_the_interface_that_it_names() -> None:
    found = asked(virtualIP={"address": "192.0.2.10/24", "interface": "eth1"})
    assert found == {"server": ["address 192.0.2.10", "interface eth1"]}


def test_a_command_asks_for_each_of_its_programs_and_as_whom_they_run() -> None:
    argvs = {"start": ["/bin/a", "x y"], "stop": ["/bin/b"], "check": ["/bin/c"], "reload": ["/bin/d"]}
    assert asked(command={**argvs, "user": "shop", "group": "disk", "environment": {"A": "b"}}) == {
        "server": [
            *("command /bin/a 'x y'", "command /bin/b", "command /bin/c", "command /bin/d"),
            *("user shop", "group disk", "variable A"),
        ]
    }
    assert asked(command={"program": ["/etc/init.d/old"], "convention": "lsb"})["server"] == [
        *(f"command /etc/init.d/old {word}" for word in ("start", "stop", "status", "reload")),
        "user root",
    ]


def test_an_address_asks_for_where_its_routes_lead_too() -> None:
    routes = [{"to": "198.51.100.0/24", "via": "192.0.2.1"}]
    found = asked(virtualIP={"address": "192.0.2.10/24", "routes": routes})
    assert found == {"server": ["address 192.0.2.10", "address 198.51.100.0/24", "address 192.0.2.1"]}


def test_a_mount_asks_for_its_device_and_its_path_and_a_bind_for_two_paths() -> None:
    assert asked(mount={"device": "shop/data", "path": "/srv/a"}) == {
        "server": ["device /dev/shop/data", "path /srv/a"]
    }
    bound = {"device": "/etc", "path": "/srv/a", "options": ["bind"]}
    assert asked(mount=bound) == {"server": ["path /etc", "path /srv/a"]}


@pytest.mark.parametrize(("pattern", "is_allowed"), [("/etc/*", False), ("/etc/ssl", False), ("/etc/**", True)])
def test_a_folder_asks_for_all_that_is_in_it_and_not_for_its_name(pattern: str, is_allowed: bool) -> None:
    assert asked(path={"path": "/etc/ssl"}) == {"server": ["path /etc/ssl/**"]}
    assert allows("paths", pattern, ("/etc/ssl/**",)) is is_allowed


def test_an_agent_asks_with_all_of_its_parameters() -> None:
    ocf = {"agent": "ocf:heartbeat:Dummy", "parameters": {"state": "/x", "fake": "1"}}
    assert asked(ocf=ocf) == {"server": ["OCF agent heartbeat:Dummy fake=1 state=/x"]}


@pytest.mark.parametrize(
    ("probe", "found"),
    [
        pytest.param({"tcpSocket": {"port": 80}}, [], id="this host"),
        pytest.param({"tcpSocket": {"port": 80, "host": "::1"}}, [], id="this host by its address"),
        pytest.param({"tcpSocket": {"port": 80, "host": "192.0.2.9"}}, ["address 192.0.2.9"], id="another"),
        pytest.param({"grpc": {"port": 80, "host": "db.example"}}, ["address db.example"], id="a name"),
        pytest.param(
            {"httpGet": {"port": 443, "scheme": "HTTPS", "tls": {"certFile": "/etc/a.pem", "keyFile": "/etc/a.key"}}},
            ["path /etc/a.pem", "path /etc/a.key"],
            id="its files",
        ),
        pytest.param(
            {"exec": {"command": ["/bin/x", "y"]}}, ["command /bin/x y", "user root"], id="a program, as root"
        ),
    ],
)
def test_a_probe_asks_for_whom_it_asks_and_what_it_runs(probe: dict[str, Any], found: list[str]) -> None:
    assert asked(systemd={"unit": "a.service"}, probes=[{"name": "alive", **probe}]) == {
        "server": ["unit a.service"],
        "server, probe alive": found,
    }


def test_only_of_programs_a_look_runs_what_the_manifest_brings() -> None:
    def runs(**resource: Any) -> bool:
        return runs_programs(Resource.model_validate({"name": "server", **resource}))

    assert runs(command={"start": ["/bin/a"], "stop": ["/bin/b"]}) and runs(ocf={"agent": "heartbeat:Dummy"})
    assert not runs(systemd={"unit": "a.service"}) and not runs(mount={"device": "/dev/sdb", "path": "/srv"})


# --- rows ------------------------------------------------------------------------------------------------------------


def a_row(**said: Any) -> PolicyRow:
    patterns: Any = said
    namespaces, kinds = said.pop("namespaces", ("shop",)), said.pop("kinds", None)
    return PolicyRow(FILE, namespaces, patterns, kinds)


def ask(*rows: PolicyRow, namespace: str = "shop", **resource: Any) -> Answer:
    wire = Resource.model_validate({"name": "server", **resource})
    return answer(rows, namespace, next(items_of(wire)), place=FOLDER)


WEB = {"systemd": {"unit": "web.service"}}
AS_ROOT = {"command": {"start": ["/bin/a"], "stop": ["/bin/a"]}}


@pytest.mark.parametrize(
    ("rows", "resource", "why"),
    [
        pytest.param([a_row(units=("web.service",))], WEB, "", id="allowed"),
        pytest.param(
            [],
            WEB,
            f'{FOLDER} has no [[allow]] for namespace shop: add one, with units = ["web.service"]',
            id="by nobody",
        ),
        pytest.param(
            [a_row(namespaces=("other",), units=("*",))],
            WEB,
            f'{FOLDER} has no [[allow]] for namespace shop: add one, with units = ["web.service"]',
            id="for another namespace",
        ),
        pytest.param(
            [a_row(units=("db.service",))],
            WEB,
            f"{FILE} does not allow namespace shop the unit web.service:"
            ' add "web.service" to `units` of one [[allow]] there',
            id="another unit",
        ),
        pytest.param(
            [a_row(kinds=("mount",), units=("web.service",))],
            WEB,
            f"{FILE} does not allow namespace shop resources of kind systemd:"
            ' add "systemd" to `kinds` of one [[allow]] there',
            id="another kind",
        ),
        pytest.param([a_row(kinds=(), units=("*",))], WEB, "resources of kind systemd", id="an empty list is no kind"),
        pytest.param(
            [a_row(commands=("/bin/a",), users=("shop",)), a_row(commands=("/bin/b",), users=("root",))],
            AS_ROOT,
            f'{FILE} does not allow namespace shop the user root: add "root" to `users` of one [[allow]] there',
            id="two rows do not add up",
        ),
        pytest.param([a_row(commands=("/bin/a",), users=("root",))], AS_ROOT, "", id="as root"),
    ],
)
def test_one_row_must_allow_all_of_it(rows: list[PolicyRow], resource: dict[str, Any], why: str) -> None:
    found = ask(*rows, **resource)
    assert (why in found.why and not found.by) if why else (found.why, found.by) == ("", FILE)


def test_a_namespace_is_a_pattern() -> None:
    row = a_row(namespaces=("shop-*",), units=("*",))
    assert not ask(row, namespace="shop-a", **WEB).why and ask(row, namespace="shop", **WEB).why


def test_what_is_told_to_add_is_enough() -> None:
    odd = {"command": {"start": ["/bin/a", "x y", "*"], "stop": ["/bin/b", "'"]}}
    wire = Resource.model_validate({"name": "server", **odd})
    (item,) = items_of(wire)
    words: dict[Word, tuple[str, ...]] = {}
    for one in item.asked:
        words[one.word] = (*words.get(one.word, ()), one.pattern)
    assert not answer([PolicyRow(FILE, ("shop",), words)], "shop", item, place=FOLDER).why
