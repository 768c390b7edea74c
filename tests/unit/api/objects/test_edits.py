"""What an edit does to what runs: said of each resource, and never otherwise than it is done."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from backstay_api.objects.edits import Reloadable, edits, is_applied, restarted, same_stop, same_watch, same_work
from backstay_api.objects.plain import (
    Command,
    Ocf,
    Probe,
    RenderedResource,
    Sandbox,
    Systemd,
    TcpSocket,
    Timeouts,
    VirtualIP,
)

SERVER = RenderedResource(name="server", systemd=Systemd(unit="a.service"))
ADDRESS = RenderedResource(name="address", virtual_ip=VirtualIP(address="192.0.2.10/24"))
DEFENDED = RenderedResource(name="address", virtual_ip=VirtualIP(address="192.0.2.10/24", on_duplicate="Restart"))
SILENT = RenderedResource(name="address", virtual_ip=VirtualIP(address="192.0.2.10/24", nodad=True))
OTHERS = (
    RenderedResource(name="server", systemd=Systemd(unit="b.service")),
    RenderedResource(name="server", systemd=Systemd(unit="a.service", overrides={"MemoryMax": "1G"})),
    RenderedResource(name="server", systemd=Systemd(unit="a.service", overrides={"LimitNOFILE": "9"})),
    RenderedResource(name="server", systemd=Systemd(unit="a.service"), reloaded_at="now"),
    RenderedResource(name="server", systemd=Systemd(unit="a.service"), timeouts=Timeouts(stop="9s")),
    RenderedResource(
        name="server",
        systemd=Systemd(unit="a.service"),
        probes=(Probe(name="alive", tcp_socket=TcpSocket(port=80)),),
    ),
)


def app(**more: Any) -> RenderedResource:
    said = {"start": ("/a", "up"), "stop": ("/a", "down"), "check": ("/a", "ask"), "reload": ("/a", "again"), **more}
    return RenderedResource(name="server", command=Command(**said))


SCRIPT = RenderedResource(name="server", command=Command(convention="lsb", program=("/a",)))
COMMANDS: dict[str, tuple[RenderedResource, str]] = {
    "check": (app(check=("/b", "ask")), "None"),
    "no check": (app(check=None), "None"),
    "reload": (app(reload=("/b", "again")), "None"),
    "stop": (app(stop=("/b", "down")), "None"),
    "start": (app(start=("/b", "up")), "Restart"),
    "type": (app(type="forking"), "Restart"),
    "user": (app(user="web"), "Restart"),
    "group": (app(group="web"), "Restart"),
    "environment": (app(environment={"A": "b"}), "Restart"),
    "workingDirectory": (app(working_directory="/srv"), "Restart"),
    "sandbox": (app(sandbox=Sandbox(protect_system="Full")), "Restart"),
    "an override": (app(overrides={"MemoryMax": "2G"}), "Restart"),
    "convention": (SCRIPT, "Restart"),
    "reloadedAt": (replace(app(), reloaded_at="now"), "Apply"),
}


def ocf(instance: str | None = "db", **parameters: str) -> RenderedResource:
    return RenderedResource(name="server", ocf=Ocf(agent="d:x", parameters=parameters or None, instance=instance))


DATABASE = ocf(level="1", mode="a")
DATABASES = (ocf(level="2", mode="a"), ocf(level="2", mode="b"), ocf(mode="a"), ocf("other", level="1", mode="a"))
RELOADABLES: list[Reloadable] = [{}, {"server": ()}, {"server": ("level",)}, {"server": ("level", "mode")}]
MANIFESTS = [
    *((), (app(),), (SERVER,), (SERVER, ADDRESS), (ADDRESS, SERVER)),
    *((one,) for one, _ in COMMANDS.values()),
    *((one, ADDRESS) for one in (*OTHERS, DATABASE, *DATABASES, ocf(None, level="1"), ocf(None, level="2"))),
]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ((SERVER, ADDRESS), []),
        ((ADDRESS, SERVER), [("address, server", "None")]),
        ((SERVER,), [("address", "Stop")]),
        ((OTHERS[0], ADDRESS), [("server", "Restart")]),
        ((OTHERS[1], ADDRESS), [("server", "Apply")]),
        ((OTHERS[2], ADDRESS), [("server", "Restart")]),
        ((OTHERS[3], ADDRESS), [("server", "Apply")]),
        ((OTHERS[4], ADDRESS), [("server", "None")]),
        ((OTHERS[5], ADDRESS), [("server", "None")]),
        ((SERVER, DEFENDED), [("address", "None")]),
        ((SERVER, SILENT), [("address", "Restart")]),
    ],
)
def test_it_is_said_of_each_resource(wanted: tuple[RenderedResource, ...], said: list[tuple[str, str]]) -> None:
    assert [(one.resource, one.effect) for one in edits((SERVER, ADDRESS), wanted, {})] == said


NOBODY_SAID = "unless its agent can reload that: no host has said so yet"
RESTARTED = "a start carries out is another"


@pytest.mark.parametrize(
    ("before", "wanted", "reloadable", "effect", "why"),
    [
        pytest.param(
            DATABASE, ocf(level="2", mode="a"), ("level",), "Apply", "its agent reloads that", id="reloadable"
        ),
        pytest.param(DATABASE, ocf(mode="a"), ("level",), "Apply", "its agent reloads that", id="its default again"),
        pytest.param(ocf(mode="a"), DATABASE, ("level",), "Apply", "its agent reloads that", id="no default any more"),
        pytest.param(DATABASE, ocf(level="2", mode="b"), ("level",), "Restart", RESTARTED, id="one of two is not"),
        pytest.param(DATABASE, ocf(level="2", mode="a"), (), "Restart", RESTARTED, id="its agent cannot"),
        pytest.param(DATABASE, ocf(level="2", mode="a"), None, "Restart", NOBODY_SAID, id="no host has said"),
        pytest.param(DATABASE, ocf("x", level="1", mode="a"), None, "Restart", RESTARTED, id="another thing"),
        pytest.param(ocf(None, level="1"), ocf(None, level="2"), ("level",), "Restart", RESTARTED, id="no instance"),
        pytest.param(DATABASE, DATABASE, ("level",), None, "", id="the same"),
    ],
)
def test_what_an_agent_can_reload_is_what_its_host_says(
    before: RenderedResource,
    wanted: RenderedResource,
    reloadable: tuple[str, ...] | None,
    effect: str | None,
    why: str,
) -> None:
    known = {"server": reloadable} if reloadable is not None else {}
    (found,) = edits([before], [wanted], known) if effect else [None]
    assert list(edits([before], [wanted], known)) == ([found] if found else [])
    if found:
        assert found.effect == effect and why in found.why
        assert (NOBODY_SAID in found.why) is (why == NOBODY_SAID)


def test_a_watch_asks_an_agent_with_its_new_parameters() -> None:
    assert not same_watch(DATABASE, ocf(level="2", mode="a"))


@pytest.mark.parametrize(("wanted", "effect"), COMMANDS.values(), ids=COMMANDS)
def test_of_a_command_only_what_a_start_carries_out_restarts_it(wanted: RenderedResource, effect: str) -> None:
    assert [one.effect for one in edits([app()], [wanted], {})] == [effect]
    assert same_work([app()], [wanted]) is (effect != "Restart")


def test_another_value_of_what_reaches_what_runs_is_applied() -> None:
    limits = {"MemoryMax": "1G", "LimitNOFILE": "9"}
    for wanted, effect in (
        ({**limits, "MemoryMax": "2G"}, "Apply"),
        ({**limits, "LimitNOFILE": "10"}, "Restart"),
        ({"LimitNOFILE": "9"}, "Restart"),
    ):
        assert [one.effect for one in edits([app(overrides=limits)], [app(overrides=wanted)], {})] == [effect]


def test_what_a_watch_or_a_stop_of_a_command_goes_by_is_told_to_them() -> None:
    others = {what for what, (wanted, effect) in COMMANDS.items() if effect != "Restart"}
    assert {what for what in others if not same_watch(app(), COMMANDS[what][0])} == {"check", "no check"}
    assert {what for what in others if not same_stop([app()], [COMMANDS[what][0]])} == {"check", "no check", "stop"}
    slow = replace(app(), timeouts=Timeouts(check="1m"))
    assert not same_watch(app(), slow) and same_stop([app()], [slow])


def test_a_watch_goes_on_unless_it_would_tell_something_else() -> None:
    assert same_watch(ADDRESS, ADDRESS) and same_watch(SERVER, OTHERS[4])
    assert not same_watch(ADDRESS, DEFENDED) and same_work([ADDRESS], [DEFENDED])
    assert not same_watch(ADDRESS, SILENT)


def one(name: str, *after: str, unit: str = "", listed: bool = False) -> RenderedResource:
    systemd = Systemd(unit=f"{unit or name}.service")
    return RenderedResource(name=name, systemd=systemd, after=None if listed else after)


ROAD = (one("disk"), one("db", "disk"), one("cache"), one("front", "db", "cache"), ADDRESS)


@pytest.mark.parametrize(
    ("before", "wanted", "names"),
    [
        pytest.param(ROAD, ROAD, "", id="the same"),
        pytest.param(
            ROAD, (one("disk", unit="d2"), *ROAD[1:]), "disk db front", id="what stands on it, and no address"
        ),
        pytest.param(ROAD, (*ROAD[:2], one("cache", unit="c2"), *ROAD[3:]), "cache front", id="and nothing beside it"),
        pytest.param(ROAD, (*ROAD[:2], one("front", "db"), ADDRESS), "cache front", id="what stood on what is gone"),
        pytest.param(ROAD, (one("log"), *ROAD), "log", id="a new one on which nothing stands"),
        pytest.param(ROAD, (one("vg"), one("disk", "vg"), *ROAD[1:]), "vg disk db front", id="a new one under all"),
        pytest.param(ROAD, (*ROAD[:4], SILENT), "address", id="an address"),
        pytest.param(
            (ADDRESS, one("server", listed=True)),
            (SILENT, one("server", listed=True)),
            "address server",
            id="above one",
        ),
        pytest.param(
            (one("a"), one("b"), one("c", "b")),
            (one("a", unit="x"), one("b", "a"), one("c")),
            "a b c",
            id="it is stopped for what it stands on now, and what stood on it before as well",
        ),
    ],
)
def test_restarted_is_what_changed_and_what_stands_on_it(
    before: tuple[RenderedResource, ...], wanted: tuple[RenderedResource, ...], names: str
) -> None:
    assert restarted(before, wanted, {}) == set(names.split())
    said = {each.resource: each for each in edits(before, wanted, {}) if each.effect != "None"}
    assert set(said) == set(names.split()) and not any(each.effect == "Apply" for each in said.values())


def test_what_is_down_is_restarted_with_what_stands_on_it() -> None:
    assert restarted(ROAD, ROAD, also=["cache"]) == {"cache", "front"} == restarted(ROAD, ROAD, also=["cache", "other"])


def test_a_restart_is_said_exactly_where_the_agent_makes_one() -> None:
    for before, wanted, known in itertools.product(MANIFESTS, MANIFESTS, RELOADABLES):
        said = list(edits(before, wanted, known))
        names = {one.resource for one in said if one.effect in ("Restart", "Start", "Stop")}
        assert names == restarted(before, wanted, known), (before, wanted, known)
        in_order = sorted(before, key=lambda one: one.name), sorted(wanted, key=lambda one: one.name)
        assert (not names) is same_work(*in_order, known), (before, wanted, known)
        applied = [one.name for one in wanted for old in before if old.name == one.name and is_applied(old, one)]
        assert [one.resource for one in said if one.effect == "Apply"] == [
            name for name in applied if name not in names
        ]
