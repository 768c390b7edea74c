"""What OCF agents say of themselves and what their exit codes mean, before anything runs."""

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest

from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.ocf import helpers, metadata
from backstay_agent.drivers.ocf.agents import Agents
from backstay_agent.drivers.ocf.environment import environment, instance, program
from backstay_agent.drivers.ocf.metadata import Metadata, Unreadable
from backstay_agent.drivers.ocf.outcomes import Meaning, error_type, meaning, seen, sentence
from backstay_agent.drivers.tools.transient import Ended
from backstay_api.objects.plain import Ocf

HEAD = '<?xml version="1.0"?>\n<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">\n<resource-agent name="x">'
BODY = """<parameters>
<parameter name="device" required="1" unique="1"><content type="string" default=""/></parameter>
<parameter name="mode" reloadable="1"><content type="select" default="fast"><option value="fast"/><option value="safe"/></content></parameter>
<parameter name="level" unique-group="g"><content type="integer" default="3"/></parameter>
<parameter name="odd"><content type="integer" default="1s"/></parameter>
<parameter name="force" required="1"><content type="boolean" default="false"/></parameter>
<parameter name="bare"/>
</parameters><actions>
<action name="start" timeout="60s"/><action name="stop" timeout="1min"/>
<action name="monitor" timeout="20" interval="10s" depth="0"/>
<action name="monitor" timeout="7s" interval="8s" role="Promoted"/>
<action name="monitor" timeout="40s" interval="500ms" depth="10"/>
<action name="notify" timeout="soon"/>
</actions></resource-agent>"""
GOOD = (HEAD + BODY).encode()


def known(xml: bytes = GOOD) -> Metadata:
    found = metadata.read(xml)
    assert isinstance(found, Metadata), found
    return found


def test_metadata_is_read() -> None:
    found = known()
    device, mode, level = (found.parameters[name] for name in ("device", "mode", "level"))
    assert (device.required, device.unique, device.reloadable) == (True, True, False)
    assert (mode.reloadable, mode.options, level.unique) == (True, ("fast", "safe"), True)
    assert found.depths == (0, 10)
    assert [found.limit_s("start"), found.limit_s("stop"), found.limit_s("notify")] == [60, 60, metadata.DEFAULT_S]
    assert [found.limit_s("monitor"), found.limit_s("monitor", depth=10), found.limit_s("monitor", depth=20)] == [
        20,
        40,
        20,
    ]
    assert found.limit_s("start", "90s") == 90, "the manifest wins"
    assert (found.period_s(), found.period_s(10), Metadata().period_s()) == (10, 1, 10)


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        pytest.param(b"", "no element found", id="nothing"),
        pytest.param(b"Usage: x start|stop", "syntax error", id="no XML"),
        pytest.param(b"<html></html>", "its root is 'html'", id="something else"),
        pytest.param(GOOD[:-20], "unclosed token", id="cut off"),
        pytest.param(GOOD + b"<more/>", "junk after document element", id="two documents"),
        pytest.param(b"<a>" * 5000, "no element found", id="deep, and never closed"),
        pytest.param(GOOD.replace(b'"x"', b'"' + b"x" * metadata.MOST_BYTES + b'"'), "longer than 1 MiB", id="a flood"),
        pytest.param(b'<?xml version="1.0" encoding="utf-99"?><resource-agent/>', "unknown encoding", id="encoding"),
        pytest.param(GOOD.replace(b'"device"', b'"de vice"'), "'de vice' cannot be the name", id="a name with a space"),
        pytest.param(GOOD.replace(b'"device"', b'"a=1\nb"'), "cannot be the name", id="a name with a line break"),
        pytest.param(
            GOOD.replace(b"<parameters>", b"<parameters>" + b"<action/>" * 2000), "more than 1000", id="crowds"
        ),
        pytest.param(
            b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><resource-agent name="&b;"/>',
            "it declares entities",
            id="a billion laughs",
        ),
        pytest.param(
            b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><resource-agent>&a;</resource-agent>',
            "it declares entities",
            id="a file of the host",
        ),
        pytest.param(
            b'<!DOCTYPE r [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]><resource-agent/>',
            "it declares entities",
            id="a parameter entity",
        ),
    ],
)
def test_metadata_that_cannot_be_used_says_why(xml: bytes, why: str) -> None:
    found = metadata.read(xml)
    assert isinstance(found, Unreadable) and why in found.why, found


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param({"device": "/dev/sdb"}, "", id="what is required; of force there is a default"),
        pytest.param({}, "parameter device is required", id="missing"),
        pytest.param(
            {"device": "x", "dveice": "y"}, "it has no parameter dveice; it has bare, device, force", id="misspelt"
        ),
        pytest.param(
            {"device": "x", "level": "high"}, "parameter level is 'high', and must be a whole number", id="integer"
        ),
        pytest.param({"device": "x", "level": "-5"}, "", id="below zero"),
        pytest.param({"device": "x", "odd": "2s"}, "", id="a type that its own default breaks says nothing"),
        pytest.param(
            {"device": "x", "force": "perhaps"}, "parameter force is 'perhaps', and must be true or false", id="boolean"
        ),
        pytest.param({"device": "x", "force": "Yes"}, "", id="boolean, as agents take it"),
        pytest.param(
            {"device": "x", "mode": "slow"}, "parameter mode is 'slow', and must be one of fast, safe", id="select"
        ),
        pytest.param({"device": "x", "trace_ra": "1"}, "", id="what every agent takes and none lists"),
    ],
)
def test_parameters_are_held_against_the_metadata(given: dict[str, str], why: str) -> None:
    assert "; ".join(metadata.faults(given, known())).startswith(why)
    assert bool(why) is bool([*metadata.faults(given, known())])


def test_what_is_unique_is_another_for_each() -> None:
    assert metadata.same_unique({"device": "a", "mode": "x"}, {"device": "a"}, known()) == "device"
    assert metadata.same_unique({"device": "a", "mode": "x"}, {"device": "b", "mode": "x"}, known()) == ""
    assert metadata.same_unique({}, {}, known()) == "", "what neither says is the agent's own affair"


# --- exit codes -----------------------------------------------------------------------------------------------------

SOFT, HARD, FATAL, DONE = Meaning.SOFT, Meaning.HARD, Meaning.FATAL, Meaning.DONE
CODES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 190, 191, 255, None)
ACTS = ("start", "stop", "reload", "reload-agent", "promote", "demote", "notify")
AS_PACEMAKER: dict[str, tuple[Meaning, ...]] = {
    **dict.fromkeys(ACTS, (DONE, SOFT, HARD, HARD, HARD, HARD, FATAL, SOFT, SOFT, SOFT, SOFT, SOFT, SOFT, SOFT)),
    "validate-all": (DONE, SOFT, HARD, DONE, HARD, HARD, FATAL, SOFT, SOFT, SOFT, SOFT, SOFT, SOFT, SOFT),
    "monitor": (
        *(Meaning.UP, SOFT, HARD, HARD, HARD, HARD, FATAL, Meaning.DOWN, Meaning.PROMOTED, SOFT),
        *(Meaning.DEGRADED, Meaning.PROMOTED, SOFT, SOFT),
    ),
}


@pytest.mark.parametrize("operation", AS_PACEMAKER)
def test_every_exit_code_of_every_operation_has_one_meaning(operation: str) -> None:
    assert {code: meaning(operation, code) for code in CODES} == dict(zip(CODES, AS_PACEMAKER[operation], strict=True))


def test_hard_and_fatal_errors_go_into_the_report() -> None:
    """What else fails is soft: another try may do better."""
    for operation in ("start", "monitor"):
        types = {code: error_type(operation, code) for code in CODES}
        assert {code: found for code, found in types.items() if found != "Soft"} == {
            **dict.fromkeys((2, 3, 4, 5), "Hard"),
            6: "Fatal",
        }
    assert [seen(code, "why", Seen(State.RUNNING)).error_type for code in (1, 5, 6)] == ["Soft", "Hard", "Fatal"]


UP, DOWN, UNKNOWN, FAILED = State.RUNNING, State.STOPPED, State.UNKNOWN, State.FAILED


@pytest.mark.parametrize(
    ("code", "ours", "not_ours"),
    [
        (0, UP, UP),
        (1, FAILED, UNKNOWN),
        (2, FAILED, UNKNOWN),
        (3, FAILED, UNKNOWN),
        (4, FAILED, UNKNOWN),
        (5, FAILED, DOWN),  # what is not installed was started by nobody
        (6, FAILED, UNKNOWN),
        (7, DOWN, DOWN),
        (8, FAILED, UP),  # nobody asked us for that role
        (9, FAILED, UNKNOWN),
        (190, UP, UP),
        (191, FAILED, UP),
        (255, FAILED, UNKNOWN),
        (None, FAILED, UNKNOWN),
    ],
)
def test_what_a_monitor_says_depends_on_who_has_started_it(code: int | None, ours: State, not_ours: State) -> None:
    assert seen(code, "why", Seen(State.RUNNING)).state is ours
    assert seen(code, "why", Seen(State.STOPPED)).state is not_ours
    assert seen(code, "why", Seen(State.FAILED)).state is not_ours
    for under_way in (Seen(State.STARTING), Seen(State.STOPPING), Seen(State.UNKNOWN, "left", left=True)):
        assert code in (0, 8, 190, 191) or seen(code, "why", under_way) == under_way


def test_degraded_is_up_and_says_why() -> None:
    assert seen(190, "one disk is gone", Seen(State.RUNNING)) == Seen(State.RUNNING, "one disk is gone")
    assert seen(9, "why", Seen(State.STOPPED)).left, "half of it plainly runs"


@pytest.mark.parametrize(
    ("code", "words", "said"),
    [
        (5, "WARN: x / ocf-exit-reason:no program / bye", "a:b stop exited with 5 (not installed, hard): no program"),
        (1, "no space; it said: nothing", "a:b stop exited with 1 (failed, soft): no space; it said: nothing"),
        (0, "", "a:b stop exited with 0 (ok)"),
        (255, "", "a:b stop exited with 255 (no code of OCF, soft)"),
        (None, "waiting", "a:b stop was killed after 20 s; it said: waiting"),
    ],
)
def test_an_end_is_told_with_the_agents_own_reason(code: int | None, words: str, said: str) -> None:
    how = "was killed after 20 s" if code is None else f"exited with {code}"
    assert sentence("a:b", "stop", Ended(code, "/usr/lib/b", how, words)) == said


# --- environment ----------------------------------------------------------------------------------------------------


def told(ocf: Ocf, operation: str = "monitor", **more: Any) -> dict[str, str]:
    return environment(ocf, operation, host="n1", timeout_s=20, **more)


def test_an_agent_is_told_all_that_it_expects() -> None:
    ocf = Ocf(agent="ocf:heartbeat:pgsql", parameters={"pgdata": "/srv/$(id) 'x'\n\"y\""})
    said = told(ocf, interval_s=10, depth=10)
    assert said["OCF_RESKEY_pgdata"] == "/srv/$(id) 'x'\n\"y\"", "data, whatever it looks like"
    assert (said["OCF_RESOURCE_PROVIDER"], said["OCF_RESOURCE_TYPE"]) == ("heartbeat", "pgsql")
    assert (said["OCF_RESKEY_CRM_meta_timeout"], said["OCF_RESKEY_CRM_meta_interval"]) == ("20000", "10000")
    assert (said["OCF_CHECK_LEVEL"], said["__OCF_ACTION"], said["HA_RSCTMP"]) == (
        "10",
        "monitor",
        "/run/resource-agents",
    )
    assert said["PATH"].startswith(f"{helpers.FOLDER}:") and said["HA_SBIN_DIR"] == str(helpers.FOLDER)
    assert "OCF_CHECK_LEVEL" not in told(ocf, "start") and program(ocf) == "/usr/lib/ocf/resource.d/heartbeat/pgsql"


def test_nothing_that_a_manifest_says_replaces_what_we_say() -> None:
    """An agent's metadata has no such names, so they are refused; here they end as another variable in any case."""
    said = told(Ocf(agent="a:b", parameters={"x": "1", "PATH": "/tmp", "ROOT": "/tmp", "CRM_meta_timeout": "1"}))
    assert said["OCF_ROOT"] == "/usr/lib/ocf" and said["OCF_RESKEY_CRM_meta_timeout"] == "20000"
    assert "/tmp" not in said["PATH"]


def test_one_thing_has_one_name_on_every_host() -> None:
    one, again = (Ocf(agent=agent, parameters={"a": "1", "b": "2"}) for agent in ("x:y", "ocf:x:y"))
    assert instance(one) == instance(again) == instance(Ocf(agent="x:y", parameters={"b": "2", "a": "1"}))
    others = [
        Ocf(agent="x:y"),
        Ocf(agent="x:y", parameters={"a": "1 b='2'"}),
        Ocf(agent="z:y", parameters=one.parameters),
    ]
    assert len({instance(ocf) for ocf in (one, *others)}) == 4
    assert instance(Ocf(agent="x:y", instance="db")) == "db"


@pytest.mark.parametrize("agent", ["x:..", "../x:y", "x/y:z", ".:y", "x:y z", ":y", "x:"])
def test_no_name_leads_out_of_the_folder_of_agents(agent: str) -> None:
    with pytest.raises(AssertionError):
        program(Ocf(agent=agent))


# --- Pacemaker's small programs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code", "answer"),
    [
        ("crm_master -l reboot -G -q", 0, "100"),
        ("/usr/sbin/crm_master -Q -v 50 -l reboot", 0, ""),
        ("crm_master -l reboot -D", 0, ""),
        ("attrd_updater -n note -Q", 0, 'name="note" host="{host}" value="a b"'),
        ("attrd_updater -p -N {host} -n note -Q", 0, 'name="note" host="{host}" value="a b"'),
        ("attrd_updater -n note -D", 0, ""),
        ("attrd_updater -n other -Q", 105, "attrd_updater: there is no attribute other"),
        ("attrd_updater -n note -N elsewhere -Q", 105, "attrd_updater: there is no attribute note"),
        ("attrd_updater -n note -N elsewhere -U x", 69, "attrd_updater: Backstay keeps attributes of this host only"),
        ("crm_attribute -N {host} -l reboot --name note --query", 0, "scope=status  name=note value=a b"),
        ("crm_attribute --lifetime=reboot --name=note --node={host} --get-value --quiet", 0, "a b"),
        ("crm_attribute -l forever -n kept -G -q", 0, "7"),
        ("crm_attribute -l reboot -n kept -G -q", 105, "crm_attribute: there is no attribute kept"),
        ("crm_attribute -n none -G -q -d 5", 0, "5"),
        (
            "crm_attribute --type crm_config --name x -s set -v 1",
            69,
            "crm_attribute: Backstay keeps attributes of this host only",
        ),
        ("crm_attribute -n ../../etc/x -v 1", 64, "crm_attribute: '../../etc/x' is not the name of an attribute"),
        ("crm_attribute --bogus", 64, "crm_attribute: option --bogus not recognized"),
        ("crm_node -n", 0, "{host}"),
        ("crm_node -l", 0, "1 {host} member"),
        ("crm_node -p", 0, "{host}"),
        ("crm_node -q", 0, "1"),
        (
            "crm_attribute --type crm_config --name db_REPL_INFO -s redis -G -q",
            105,
            "crm_attribute: there is no attribute db_REPL_INFO",
        ),
        ("crm_attribute -p -v 50", 0, ""),
        ("crm_attribute -p -l reboot -G -q", 0, "100"),
        ("crm_attribute --promotion -D", 0, ""),
        ("attrd_updater -p -n note -U x", 0, ""),
        ("crm_mon -1", 69, "crm_mon: Backstay has no answer to this"),
        ("crm_mon -1 --as-html", 69, "crm_mon: Backstay has no answer to this"),
        ("crm_resource --ban -r x", 69, "crm_resource: Backstay has no answer to this"),
    ],
)
def test_what_an_agent_notes_it_finds_again(tmp_path: Path, said: str, code: int, answer: str) -> None:
    host = os.uname().nodename
    places, environ = (tmp_path / "run", tmp_path / "var"), {"OCF_RESOURCE_INSTANCE": "db"}
    for first in (
        ["crm_master", "-v", "100"],
        ["attrd_updater", "-n", "note", "-U", "a b"],
        ["crm_attribute", "-n", "kept", "-v", "7"],
    ):
        assert helpers.answer(first, environ, places=places) == (0, "")
    assert helpers.answer(said.format(host=host).split(), environ, places=places) == (code, answer.format(host=host))


@pytest.mark.parametrize("said", ["--output-as=xml", "--as-xml", "-X", "-1X"])
def test_the_cluster_that_an_agent_sees_is_this_host_where_nothing_is_promoted(said: str) -> None:
    code, text = helpers.answer(["crm_mon", "-1", said], {})
    root = ElementTree.fromstring(text)
    nodes = [(node.get("name"), node.get("online")) for node in root.iter("node")]
    assert (code, nodes, [*root.iter("resource")]) == (0, [(os.uname().nodename, "true")], [])


def test_the_programs_stand_alone_and_are_made_anew_when_we_are(tmp_path: Path) -> None:
    helpers.install(tmp_path / "bin")
    made = (tmp_path / "bin" / "answer").stat().st_ino
    helpers.install(tmp_path / "bin")
    assert (tmp_path / "bin" / "answer").stat().st_ino == made
    (tmp_path / "bin" / "answer").write_text("of an older release")
    helpers.install(tmp_path / "bin")
    asked = subprocess.run([tmp_path / "bin" / "crm_mon", "-1"], capture_output=True, text=True, env={}, check=False)
    assert (asked.returncode, asked.stdout, asked.stderr) == (69, "", "crm_mon: Backstay has no answer to this\n")
    assert (tmp_path / "bin" / "answer").read_text().startswith(f"#!{sys.executable} -IS\n")


# --- questions -------------------------------------------------------------------------------------------------------


def agents_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> Agents:
    """An agent installed where nobody else looks, and nothing that needs systemd."""
    path = tmp_path / "agent"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setattr("backstay_agent.drivers.ocf.agents.program", lambda ocf: str(path))
    monkeypatch.setattr("backstay_agent.drivers.ocf.agents.told_to", lambda *told, **more: {"PATH": os.environ["PATH"]})
    return Agents(cast(Any, None))


def monitor(agents: Agents, limit_s: float) -> Ended:
    return asyncio.run(agents.operate(Ocf(agent="x:y"), "monitor", limit_s))


def test_a_monitor_that_was_killed_has_said_nothing_and_one_that_answers_took_its_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    late = monitor(agents_of(monkeypatch, tmp_path, "echo waiting; exec sleep 60"), 0.3)
    assert (late.exit_code, late.in_time, late.what) == (None, False, "was killed after 0.3 s; it said: waiting")
    down = monitor(agents_of(monkeypatch, tmp_path, "exit 7"), 20)
    assert (down.exit_code, down.in_time, down.what) == (7, True, "exited with 7") and down.took_s > 0


def test_what_hangs_in_the_kernel_is_not_asked_a_second_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked, left = tmp_path / "asked", tmp_path / "group"
    agents = agents_of(monkeypatch, tmp_path, f"echo >>{asked}; exec sleep 60")
    left.mkdir()
    (left / "cgroup.procs").touch()
    (left / "cgroup.events").write_text("populated 1\n")
    monkeypatch.setattr(
        "backstay_agent.drivers.tools.cgroups.temporary_group", lambda name: contextlib.nullcontext(left)
    )
    first, second = monitor(agents, 0.3), monitor(agents, 0.3)
    assert first.what.startswith("was killed") and "hangs in the kernel and cannot be killed" in second.what
    assert asked.read_text() == "\n" and not second.in_time
    (left / "cgroup.events").write_text("populated 0\n")
    assert monitor(agents, 0.3).what.startswith("was killed")
