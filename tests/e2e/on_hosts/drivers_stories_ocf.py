"""Stories about OCF agents, told by `test_ocf_agents.py` inside a host: what bad agents do."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import aclosing
from pathlib import Path

from drivers_scene import STORIES, main, read, refused, runs, sh, story, until
from ocf_scene import DAEMON, ROOT, agent, agents, resource, unit_of

from backstay_agent.drivers.base import Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.ocf.environment import instance
from backstay_api.objects.plain import OcfDepth, Probe, Timeouts


@story
async def a_resource_is_started_watched_adopted_and_verifiably_stopped() -> None:
    daemon = agent("daemon")
    thing = resource("daemon")
    async with agents() as driver:
        assert await driver.not_ready(thing) is None
        assert await driver.check(thing) == Seen(State.STOPPED)
        assert await driver.stop(thing, timeout_s=5) is None, "never started"
        await driver.start(thing, timeout_s=5)
        await driver.start(thing, timeout_s=5)
    async with agents() as driver:  # another life of the agent
        assert await driver.check(thing) == Seen(State.RUNNING)
        assert await driver.leftovers() == [thing]
        sh("systemctl", "daemon-reload")
        async with aclosing(driver.changes(thing)) as changes:
            assert await anext(changes) == Seen(State.RUNNING)
            began_s = time.monotonic()
            os.kill(int(read("/run/d-daemon")), signal.SIGKILL)
            seen = await anext(changes)
            assert seen == Seen(State.FAILED, "d-tests:daemon monitor exited with 1 (failed, soft): it is dead"), seen
            assert time.monotonic() - began_s < 3, "told by its control group, not by the period of ten seconds"
        await driver.start(thing, timeout_s=5)
        assert await driver.check(thing) == Seen(State.RUNNING)
        assert await driver.stop(thing, timeout_s=5) is None
        assert await driver.stop(thing, timeout_s=5) is None
        assert await driver.check(thing) == Seen(State.STOPPED)
        assert await driver.leftovers() == []
    assert not runs(daemon)


@story
async def what_is_started_by_hand_is_seen_and_stopped() -> None:
    daemon = agent("byhand")
    thing = resource("byhand")
    await asyncio.create_subprocess_exec("/bin/sh", "-c", f"{daemon} & echo $! >/run/d-byhand")
    await until(lambda: runs(daemon) and os.path.exists("/run/d-byhand"))
    async with agents() as driver:
        assert await driver.check(thing) == Seen(State.RUNNING)
        await driver.stop(thing, timeout_s=5)
    assert not runs(daemon)


@story
async def parameters_are_data() -> None:
    agent(
        "words",
        first='[ "$1" = start ] && printf %s "$OCF_RESKEY_words" >/run/d-words.said; env -0 >/run/d-words.env.$1',
    )
    text = "a\nb\tc 'd' \"e\" $(id) `id` ${HOME} $HOME %n %% \\x41 \\n é ; reboot & | -x \\"
    thing = resource("words", words=text, place="/x y=z")
    async with agents() as driver:
        assert await driver.not_ready(thing) is None
        await driver.start(thing, timeout_s=5)
        sh("systemctl", "daemon-reload")
        assert await driver.leftovers() == [thing], "also after systemd has read it again from its file"
        assert await driver.check(thing) == Seen(State.RUNNING)
        assert read("/run/d-words.said") == text
        assert environment("/run/d-words.env.monitor")["OCF_RESKEY_words"] == text
        await driver.stop(thing, timeout_s=5)


def environment(file: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in read(file).split("\0") if "=" in word)


@story
async def an_agent_finds_what_it_expects_in_its_environment() -> None:
    agent("env", first="env -0 >/run/d-env.$1; touch $HA_RSCTMP/d-env")
    thing = resource("env", timeouts=Timeouts(start="7s"))
    probe = Probe(name="deep", ocf=OcfDepth(depth=10))
    async with agents() as driver:
        assert await driver.check(thing) == Seen(State.STOPPED)
        assert environment("/run/d-env.monitor")["OCF_RESKEY_CRM_meta_interval"] == "0", "a probe, to an agent"
        await driver.start(thing, timeout_s=20)
        await driver.check(thing)
        started, monitored = environment("/run/d-env.start"), environment("/run/d-env.monitor")
        assert await driver.ask(thing, probe) is None
        deep = environment("/run/d-env.monitor")
        await driver.stop(thing, timeout_s=5)
    assert thing.ocf is not None
    assert (
        started.items()
        >= {
            "OCF_ROOT": "/usr/lib/ocf",
            "OCF_RESOURCE_INSTANCE": instance(thing.ocf),
            "OCF_RESOURCE_PROVIDER": "d-tests",
            "OCF_RESOURCE_TYPE": "env",
            "OCF_RA_VERSION_MAJOR": "1",
            "OCF_RESKEY_CRM_meta_timeout": "7000",
            "OCF_RESKEY_CRM_meta_on_node": os.uname().nodename,
            "HA_RSCTMP": "/run/resource-agents",
        }.items()
    ), started
    assert (monitored["OCF_RESKEY_CRM_meta_interval"], monitored["OCF_CHECK_LEVEL"]) == ("10000", "0")
    assert (deep["OCF_RESKEY_CRM_meta_interval"], deep["OCF_CHECK_LEVEL"]) == ("20000", "10")
    assert "NOTIFY_SOCKET" not in started and "OCF_CHECK_LEVEL" not in started


@story
async def a_standby_says_what_is_missing() -> None:
    validates = 'validate-all) [ "$OCF_RESKEY_needed" = good ] && exit 0; echo "ocf-exit-reason:no $OCF_RESKEY_needed here" >&2; exit 5'
    needed = '<parameter name="needed" required="1"><content type="string"/></parameter>'
    agent("picky", DAEMON.replace("validate-all) exit 0", validates), parameters=needed)
    deep = Probe(name="deep", ocf=OcfDepth(depth=20))
    async with agents() as driver:
        for thing, why in (
            (resource("absent"), "/usr/lib/ocf/resource.d/d-tests/absent is not installed"),
            (resource("picky"), "parameter needed is required"),
            (resource("picky", needed="good", other="1"), "it has no parameter other; it has many, needed, place, words"),
            (resource("picky", needed="good", many="lots"), "parameter many is 'lots', and must be a whole number"),
            (resource("picky", needed="good", probes=(deep,)), "no monitor of depth 20, which probe deep asks; it has 0, 10"),
            (resource("picky", needed="bread"), "d-tests:picky validate-all exited with 5 (not installed, hard): no bread here"),
        ):  # fmt: skip
            said = await driver.not_ready(thing) or "ready"
            assert why in said, said
        assert await driver.not_ready(resource("picky", needed="good")) is None
        assert await driver.check(resource("absent")) == Seen(State.STOPPED)
        assert await driver.stop(resource("absent"), timeout_s=5) is None
        await refused(driver.start(resource("picky"), timeout_s=5), StartFailed, "parameter needed is required")


@story
async def what_an_agent_validates_on_a_disk_that_comes_later_is_not_judged() -> None:
    text = DAEMON.replace("validate-all) exit 0", 'validate-all) [ -d "$OCF_RESKEY_place" ] && exit 0; exit 5')
    agent("data", text)
    Path("/srv/d-disk").mkdir(parents=True, exist_ok=True)
    async with agents() as driver:
        assert await driver.not_ready(resource("data", place="/srv/d-disk/db")) is None
        assert "exited with 5" in (await driver.not_ready(resource("data", place="/etc/nowhere")) or "ready")


@story
async def metadata_of_strangers_does_no_harm() -> None:
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><resource-agent>&b;</resource-agent>'
    agent("laughs", metadata=laughs)
    agent("prose", metadata="Usage: prose start|stop")
    agent("empty", metadata="")
    agent("flood", first='[ "$1" = meta-data ] && { yes "<x>" | head -c 30000000; exit 0; }')
    agent("refuses", first='[ "$1" = meta-data ] && { echo no >&2; exit 255; }')
    agent("sleeps", first='[ "$1" = meta-data ] && { setsid sleep 299999 & sleep 299998; }')
    async with agents() as driver:
        for name, why in (
            ("laughs", "it declares entities"),
            ("prose", "syntax error"),
            ("empty", "no element found"),
            ("flood", "it is longer than 1 MiB"),
            ("refuses", "meta-data exited with 255; it said: no"),
            ("sleeps", "meta-data was killed after 10 s"),
        ):
            said = await driver.not_ready(resource(name)) or "ready"
            assert f"the metadata of d-tests:{name} cannot be used" in said and why in said, said
    assert not runs("sleep 29999") and list(Path("/run/backstay/ocf").glob("*.xml")) == []


CODES = {
    "1": "failed, soft",
    "2": "wrong arguments on this host, hard",
    "6": "not configured, fatal",
    "7": "not running, soft",
    "255": "no code of OCF, soft",
}


@story
async def every_exit_code_of_a_start_is_said() -> None:
    agent(
        "codes",
        DAEMON.replace(
            "start)", 'start) [ -n "$OCF_RESKEY_many" ] && { echo some words >&2; exit $OCF_RESKEY_many; };'
        ),
    )
    async with agents() as driver:
        for code, said in CODES.items():
            thing = resource("codes", many=code)
            why = f"d-tests:codes start exited with {code} ({said}): some words"
            await refused(driver.start(thing, timeout_s=5), StartFailed, why)
            assert await driver.stop(thing, timeout_s=5) is None


@story
async def an_agent_that_hangs_is_killed_with_all_that_it_has_started() -> None:
    hang = "setsid sleep 199999 & sleep 199998"
    agent("hangs", DAEMON.replace("start)", f"start) {hang};;\nnever)"))
    agent("hangstop", DAEMON.replace("stop)", f"stop) kill -0 $(cat $S) && {{ {hang}; }};"))
    agent("hangmon", DAEMON.replace("monitor)", f"monitor) {hang};;\nnever)"))
    half = Timeouts(start="500ms", stop="500ms", check="500ms")
    async with agents() as driver:
        thing = resource("hangs", timeouts=half)
        await refused(driver.start(thing, timeout_s=20), StartFailed, "start did not bring it up within 0.5 s")
        await driver.stop(thing, timeout_s=5)
        thing = resource("hangmon", timeouts=half)
        seen = await driver.check(thing)
        assert seen == Seen(State.UNKNOWN, "d-tests:hangmon monitor was killed after 0.5 s"), seen
        assert not runs("sleep 19999")
        thing = resource("hangstop", timeouts=half)
        await driver.start(resource("hangstop"), timeout_s=5)
        note = await driver.stop(thing, timeout_s=5)
        assert note and "d-tests:hangstop stop was killed after 0.5 s" in note, note
    assert not runs("sleep 19999")


@story
async def a_stop_is_believed_only_with_proof() -> None:
    liar = agent("liar", DAEMON.replace("stop)", "stop) exit 0;;\nnever)"))
    sees = "monitor) [ -e $S ] && { echo still here >&2; exit 0; }; exit 7;;\nnever)"
    stubborn = agent("stubborn", DAEMON.replace("stop)", "stop) exit 0;;\nnever)").replace("monitor)", sees))
    sad = agent("sad", DAEMON.replace("stop)", "stop) [ -e $S ] || exit 0; echo no way >&2; exit 1;;\nnever)"))
    async with agents() as driver:
        await driver.start(resource("liar"), timeout_s=5)
        # Its daemon is killed with its control group; what its monitor makes of the file that is left, is no "cleanly down".
        await refused(
            driver.stop(resource("liar"), timeout_s=5),
            StopFailed,
            "stop exited with 0 (ok); then d-tests:liar monitor exited with 1 (failed, soft): it is dead, where 7 means cleanly down",
        )
        await driver.start(resource("stubborn"), timeout_s=5)
        await refused(
            driver.stop(resource("stubborn"), timeout_s=5),
            StopFailed,
            "then d-tests:stubborn monitor exited with 0 (ok)",
        )
        await driver.start(resource("sad"), timeout_s=5)
        await refused(
            driver.stop(resource("sad"), timeout_s=5),
            StopFailed,
            "d-tests:sad stop exited with 1 (failed, soft): no way",
        )
        Path("/run/d-sad").unlink()
        assert await driver.stop(resource("sad"), timeout_s=5) is None
    assert not any(map(runs, (liar, stubborn, sad)))


@story
async def operations_of_one_resource_never_meet() -> None:
    """No agent expects another one beside it: probes, a driver's own look, a start and a stop take turns."""
    enter = "mkdir /run/d-busy 2>/dev/null || echo $1 >>/run/d-met; sleep 0.1; rmdir /run/d-busy 2>/dev/null"
    agent("alone", first=f'[ "$1" = meta-data ] || {{ {enter}; }}')
    thing, probe = resource("alone"), Probe(name="deep", ocf=OcfDepth(depth=10))
    async with agents() as driver:
        asked = (driver.check(thing), driver.ask(thing, probe), driver.not_ready(thing))
        await asyncio.gather(*asked, driver.start(thing, timeout_s=20))
        await asyncio.gather(driver.check(thing), driver.ask(thing, probe), driver.stop(thing, timeout_s=20))
    assert not os.path.exists("/run/d-met"), read("/run/d-met")


@story
async def a_monitor_costs_no_unit_and_leaves_nothing() -> None:
    """What it forks away is gone with it, though it is in a session of its own."""
    first = '[ "$1" = monitor ] && { cat /proc/self/cgroup >/run/d-forks.group; setsid sleep 199997 >/dev/null 2>&1 & }'
    agent("forks", first=first)
    async with agents() as driver:
        await driver.check(resource("forks"))
    assert "backstay-monitor" not in read("/run/d-forks.group"), read("/run/d-forks.group")
    await until(lambda: not runs("sleep 199997"))


@story
async def an_agent_that_is_gone_leaves_what_it_has_started_in_doubt() -> None:
    daemon = agent("leaves")
    thing = resource("leaves")
    async with agents() as driver:
        await driver.start(thing, timeout_s=5)
        (ROOT / "d-tests" / "leaves").rename(ROOT / "d-tests" / "leaves.away")
        for _again in range(2):
            await refused(driver.stop(thing, timeout_s=5), StopFailed, f"then: systemctl stop {unit_of(thing)}")
        assert runs(daemon)
        (ROOT / "d-tests" / "leaves.away").rename(ROOT / "d-tests" / "leaves")
        assert await driver.stop(thing, timeout_s=5) is None
    assert not runs(daemon)


@story
async def what_has_come_up_is_not_down_because_its_monitor_cannot_tell_any_more() -> None:
    unclear = DAEMON.replace("monitor)", "monitor) [ -e /run/d-broken ] && exit 6;")
    agent("breaks", unclear)
    thing = resource("breaks")
    async with agents() as driver:
        await driver.start(thing, timeout_s=5)
        Path("/run/d-broken").touch()
        for _again in range(2):
            await refused(driver.stop(thing, timeout_s=5), StopFailed, "monitor exited with 6 (not configured, fatal)")
        Path("/run/d-broken").unlink()
        await driver.stop(thing, timeout_s=5)


@story
async def what_forks_away_is_found_and_ended() -> None:
    text = DAEMON.replace("sleep $N &", "systemd-run --quiet --scope --collect setsid sleep $N & sleep 0.3;")
    text = text.replace("stop) [ -e $S ] && kill $(cat $S) 2>/dev/null;", "stop)").replace(
        "&& kill -0 $(cat $S)", "&& true $(cat $S)"
    )
    daemon = agent("away", text.replace("[ -e $S ] || exit 7", "[ -e $S ] || exit 7; true"))
    thing = resource("away")
    async with agents() as driver:
        await driver.start(thing, timeout_s=5)
        assert runs(daemon)
        await driver.stop(thing, timeout_s=5)
    assert not runs(daemon)


@story
async def a_flood_of_words_costs_nothing_but_itself() -> None:
    agent(
        "noisy",
        first='[ "$1" = monitor ] && { yes "too many words" | head -c 3000000; yes "and errors" | head -c 3000000 >&2; }',
    )
    thing = resource("noisy")
    async with agents() as driver:
        await driver.start(thing, timeout_s=20)
        assert await driver.check(thing) == Seen(State.RUNNING)
        await driver.stop(thing, timeout_s=20)


@story
async def degraded_is_up_and_said() -> None:
    agent(
        "tired",
        DAEMON.replace(
            "monitor) [ -e $S ] || exit 7;",
            "monitor) [ -e $S ] || exit 7; echo 'ocf-exit-reason:one disk is gone' >&2; exit 190;",
        ),
    )
    thing = resource("tired")
    async with agents() as driver:
        await driver.start(thing, timeout_s=5)
        assert await driver.check(thing) == Seen(
            State.RUNNING, "d-tests:tired monitor exited with 190 (degraded): one disk is gone"
        )
        assert await driver.ask(thing, Probe(name="deep", ocf=OcfDepth(depth=10))) is None
        await driver.stop(thing, timeout_s=5)


@story
async def two_may_not_have_alike_what_is_unique() -> None:
    agent("single", DAEMON.replace("S=", "").replace("$S", "$S.$OCF_RESOURCE_INSTANCE"))
    one, same, other = (
        resource("single", place=place, words=words) for place, words in (("/a", "1"), ("/a", "2"), ("/b", "1"))
    )
    async with agents() as driver:
        await driver.start(one, timeout_s=5)
        await refused(
            driver.start(same, timeout_s=5),
            StartFailed,
            f"place must be another for each resource of d-tests:single: {unit_of(one)} has the same here",
        )
        await driver.start(other, timeout_s=5)
        for thing in (one, other):
            await driver.stop(thing, timeout_s=5)


@story
async def pacemakers_small_programs_are_answered() -> None:
    agent(
        "scored",
        first="""[ "$1" = start ] && {
    crm_master -l reboot -v 100
    ${HA_SBIN_DIR}/attrd_updater -n "$OCF_RESOURCE_INSTANCE-x" -U 'a b'
    { crm_node -n; crm_master -l reboot -G -q; attrd_updater -n "$OCF_RESOURCE_INSTANCE-x" -Q; crm_mon -1; echo $?; } >/run/d-scored.said 2>&1
    crm_master -l reboot -D; crm_master -G -q >>/run/d-scored.said 2>&1; echo $? >>/run/d-scored.said; }""",
    )
    thing = resource("scored")
    assert thing.ocf is not None
    name, host = instance(thing.ocf), os.uname().nodename
    async with agents() as driver:
        await driver.start(thing, timeout_s=5)
        await driver.stop(thing, timeout_s=5)
    assert read("/run/d-scored.said").splitlines() == [
        host, "100", f'name="{name}-x" host="{host}" value="a b"', "crm_mon: Backstay has no answer to this", "69",
        f"crm_master: there is no attribute master-{name}", "105",
    ], read("/run/d-scored.said")  # fmt: skip


if __name__ == "__main__":
    main(STORIES)
