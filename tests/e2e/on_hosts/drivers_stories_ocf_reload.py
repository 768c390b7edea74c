"""Stories about `reload-agent`, told by `test_ocf_agents.py` inside a host."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from drivers_scene import STORIES, main, read, refused, story
from ocf_scene import ACTIONS, DAEMON, METADATA, agent, agents, resource

from backstay_agent.drivers.base import ReloadFailed, Seen, StartFailed, State
from backstay_agent.drivers.ocf.driver import OcfDriver
from backstay_api.objects.plain import RenderedResource

PARAMETERS = '<parameter name="level" reloadable="1"><content type="integer" default="1"/></parameter>'
RELOADS = METADATA.format(parameters=PARAMETERS, actions=f'{ACTIONS}<action name="reload-agent" timeout="5s"/>')
TELLS = 'case $1 in start|stop|reload*) echo "$1 $OCF_RESKEY_level" >>$S.log;; monitor) echo "$OCF_RESKEY_level" >$S.asked;; esac'
CAN = (
    'reload-agent) [ "$OCF_RESKEY_level" = 13 ] && { echo "ocf-exit-reason:not 13" >&2; exit 1; }; exit 0;;\n*) exit 3'
)
PICKY = 'validate-all) [ "$OCF_RESKEY_level" = 0 ] && { echo "ocf-exit-reason:0 is none" >&2; exit 6; }; exit 0'


def database(name: str, **parameters: str) -> RenderedResource:
    thing = resource(name, probes=(), timeouts=None, **parameters)
    assert thing.ocf is not None
    return replace(thing, ocf=replace(thing.ocf, instance="db"))


async def level_is_asked(driver: OcfDriver, thing: RenderedResource) -> None:
    """Its watch asks with the parameters that it has now."""
    async with aclosing(driver.changes(thing)) as changes:
        assert await anext(changes) == Seen(State.RUNNING)


@story
async def what_an_agent_can_reload_is_changed_while_it_runs() -> None:
    text = DAEMON.replace("*) exit 3", CAN).replace("validate-all) exit 0", PICKY)
    agent("reloads", text, metadata=RELOADS, first=TELLS)
    first, second = database("reloads", level="1"), database("reloads", level="2")
    async with agents() as driver:
        await driver.start(first, timeout_s=5)
        number = read("/run/d-reloads")
        assert (await driver.check(first)).reloadable == frozenset(("level",))
        assert (await driver.check(resource("reloads"))).reloadable is None, "without a name it is another thing"
        await driver.apply(second, first, timeout_s=5)
        await driver.apply(second, second, timeout_s=5)
        await level_is_asked(driver, second)
        assert read("/run/d-reloads.asked").strip() == "2"
        await driver.apply(database("reloads"), second, timeout_s=5)
        for wrong, error, why in (
            (database("reloads", level="13"), ReloadFailed, "reload-agent exited with 1 (failed, soft): not 13"),
            (database("reloads", level="1", words="x"), ReloadFailed, "d-tests:reloads cannot reload words"),
            (database("reloads", level="0"), StartFailed, "validate-all exited with 6 (not configured, fatal): 0 is none"),
            (database("reloads", level="many"), StartFailed, "parameter level is 'many', and must be a whole number"),
        ):  # fmt: skip
            await refused(driver.apply(wrong, second, timeout_s=5), error, why)
        assert read("/run/d-reloads") == number, "the same daemon all the time"
    async with (
        agents() as driver
    ):  # an agent that has lost its memory finds it as it was started: by its name it is the same
        assert await driver.leftovers() == [first]
        assert await driver.stop(second, timeout_s=5) is None
        assert await driver.leftovers() == []
    asked = read("/run/d-reloads.log").splitlines()
    assert asked == ["start 1", "reload-agent 2", "reload-agent ", "reload-agent 13", "stop 2"], asked


@story
async def an_agent_that_has_lost_the_operation_is_restarted() -> None:
    agent("older", metadata=RELOADS)
    first, second = database("older", level="1"), database("older", level="2")
    async with agents() as driver:
        await driver.start(first, timeout_s=5)
        await refused(
            driver.apply(second, first, timeout_s=5), ReloadFailed, "reload-agent exited with 3 (not implemented, hard)"
        )
        agent("older")
        assert (await driver.check(first)).reloadable == frozenset(), "its metadata is read anew"
        await driver.stop(first, timeout_s=5)
    assert not Path("/run/d-older").exists()


if __name__ == "__main__":
    main(STORIES)
