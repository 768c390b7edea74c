"""Stories about agents with roles, told by `test_ocf_agents.py` inside a host: a copy, and its promotion, which stands on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from drivers_scene import STORIES, main, read, refused, runs, story
from ocf_scene import ACTIONS, DAEMON, METADATA, agent, agents, resource, unit_of

from backstay_agent.drivers.base import NoScore, StartFailed, State, StopFailed
from backstay_api.objects.plain import Ocf, RenderedResource

UP, DOWN, UNKNOWN, FAILED = State.RUNNING, State.STOPPED, State.UNKNOWN, State.FAILED
ROLES = METADATA.format(
    parameters="", actions=f'{ACTIONS}<action name="promote" timeout="5s"/><action name="demote" timeout="5s"/>'
)
# It keeps its role in a file, answers what another says where there is one, and writes down what it is asked and told.
PLAYS = DAEMON.replace(
    "monitor) [ -e $S ] || exit 7;",
    """promote) [ -e $S ] || exit 7; [ -e $S.clumsy ] && { echo "ocf-exit-reason:not me" >&2; exit 1; }; touch $S.role; exit 0;;
demote) [ -e $S.proud ] || rm -f $S.role; exit 0;;
monitor) [ -e $S.code ] && exit $(cat $S.code); [ -e $S ] || exit 7; [ -e $S.role ] && exit 8;""",
)
_TOLD = ("clone_max", "promoted_max", "master_max", "notify")
NOTES = f'echo "$1 {" ".join(f"$OCF_RESKEY_CRM_meta_{name}" for name in _TOLD)}" >>$S.log'


def parts(name: str, *, copies: int = 2) -> tuple[RenderedResource, RenderedResource]:
    """A copy, and its promotion."""
    thing = resource(name)
    assert thing.ocf is not None
    ocf = replace(thing.ocf, instance=f"i-{thing.ocf.agent.partition(':')[2]}", copies=copies)
    return replace(thing, ocf=ocf), replace(thing, ocf=replace(ocf, role="Promoted"))


@story
async def a_copy_is_promoted_demoted_and_stopped_and_told_of_its_roles_each_time() -> None:
    daemon = agent("plays", PLAYS, metadata=ROLES, first=NOTES)
    copy, promotion = parts("plays", copies=3)
    async with agents() as driver:
        assert [await driver.not_ready(one) for one in (copy, promotion)] == [None, None]
        await driver.start(copy, timeout_s=5)
        assert [(await driver.check(one)).state for one in (copy, promotion)] == [UP, DOWN]
        await driver.start(promotion, timeout_s=5)
        await driver.start(promotion, timeout_s=5)
        assert [(await driver.check(one)).state for one in (copy, promotion)] == [UP, UP]
    async with agents() as driver:  # another life of the agent
        assert [(await driver.check(one)).state for one in (copy, promotion)] == [UP, UP]
        assert await driver.leftovers() == [copy, promotion], "stopped from the last to the first"
        assert await driver.stop(promotion, timeout_s=5) is None
        assert await driver.stop(promotion, timeout_s=5) is None
        assert [(await driver.check(one)).state for one in (copy, promotion)] == [UP, DOWN]
        assert runs(daemon), "a copy that was demoted runs on"
        assert await driver.leftovers() == [copy]
        await driver.start(promotion, timeout_s=5)
        assert await driver.stop(promotion, timeout_s=5) is None
        assert await driver.stop(copy, timeout_s=5) is None
        assert [(await driver.check(one)).state for one in (copy, promotion)] == [DOWN, DOWN]
        assert await driver.leftovers() == []
    said = [line.split() for line in read("/run/d-plays.log").splitlines()]
    assert {tuple(line[1:]) for line in said if line[0] != "meta-data"} == {("3", "1", "1", "true")}, said
    acts = [line[0] for line in said if line[0] in ("start", "promote", "demote", "stop")]
    assert acts == ["start", "promote", "demote", "demote", "promote", "demote", "stop"], acts


@story
async def each_answer_of_a_monitor_means_something_else_in_each_role() -> None:
    agent("codes", PLAYS, metadata=ROLES)
    copy, promotion = parts("codes")
    # Of a copy that was never promoted, of one that is, and of its promotion then.
    table = {
        0: (UP, UP, DOWN),
        1: (FAILED, FAILED, FAILED),
        7: (DOWN, DOWN, DOWN),
        8: (FAILED, UP, UP),
        9: (FAILED, FAILED, FAILED),
        190: (UP, UP, DOWN),
        191: (FAILED, UP, UP),
    }
    async with agents() as driver:
        await driver.start(copy, timeout_s=5)
        found = {code: [await seen(driver, copy, code)] for code in table}
        Path("/run/d-codes.code").unlink()
        await driver.start(promotion, timeout_s=5)
        for code, states in found.items():
            states += [await seen(driver, one, code) for one in (copy, promotion)]
        assert {code: tuple(states) for code, states in found.items()} == table, found
        Path("/run/d-codes.code").unlink()
        await driver.stop(promotion, timeout_s=5)
        await driver.stop(copy, timeout_s=5)


async def seen(driver: object, thing: RenderedResource, code: int) -> State:
    Path("/run/d-codes.code").write_text(str(code))
    return (await driver.check(thing)).state  # type: ignore[attr-defined,no-any-return]


@story
async def a_demote_that_lies_is_a_stop_that_failed_and_one_that_leaves_it_down_is_not() -> None:
    agent("proud", PLAYS, metadata=ROLES)
    copy, promotion = parts("proud")
    async with agents() as driver:
        await driver.start(copy, timeout_s=5)
        await driver.start(promotion, timeout_s=5)
        Path("/run/d-proud.proud").touch()
        await refused(
            driver.stop(promotion, timeout_s=5),
            StopFailed,
            "monitor exited with 8 (running promoted), where 0, 190 and 7 mean",
        )
        assert (await driver.check(promotion)).state is UP
        for code, says in ((9, "failed promoted"), (191, "promoted and degraded"), (1, "failed")):
            Path("/run/d-proud.code").write_text(str(code))
            await refused(driver.stop(promotion, timeout_s=5), StopFailed, f"monitor exited with {code} ({says}")
        for code in (190, 7, 0):
            Path("/run/d-proud.code").write_text(str(code))
            assert await driver.stop(promotion, timeout_s=5) is None
        for left in ("code", "proud", "role"):
            Path(f"/run/d-proud.{left}").unlink()
        await driver.stop(copy, timeout_s=5)


@story
async def a_copy_that_cannot_be_demoted_is_stopped_and_its_promotion_with_it() -> None:
    agent("stays", PLAYS, metadata=ROLES)
    copy, promotion = parts("stays")
    async with agents() as driver:
        await driver.start(copy, timeout_s=5)
        await driver.start(promotion, timeout_s=5)
        Path("/run/d-stays.proud").touch()
        await refused(driver.stop(promotion, timeout_s=5), StopFailed, "monitor exited with 8 (running promoted)")
        await driver.stop(copy, timeout_s=5)
        assert await driver.leftovers() == [promotion], "that nothing is promoted any more is still to be verified"
        assert await driver.stop(promotion, timeout_s=5) is None
        assert [(await driver.check(one)).state for one in (copy, promotion)] == [DOWN, DOWN]
        assert await driver.leftovers() == []


@story
async def a_promote_that_fails_says_why_and_leaves_a_copy_that_is_not_promoted() -> None:
    agent("clumsy", PLAYS, metadata=ROLES)
    copy, promotion = parts("clumsy")
    async with agents() as driver:
        await refused(driver.start(promotion, timeout_s=5), StartFailed, "promote exited with 7 (not running, soft)")
        assert await driver.stop(promotion, timeout_s=5) is None
        await driver.start(copy, timeout_s=5)
        Path("/run/d-clumsy.clumsy").touch()
        await refused(driver.start(promotion, timeout_s=5), StartFailed, "promote exited with 1 (failed, soft): not me")
        assert await driver.stop(promotion, timeout_s=5) is None
        assert [(await driver.check(one)).state for one in (copy, promotion)] == [UP, DOWN]
        await driver.stop(copy, timeout_s=5)
        agent("rolefree")
        why = await driver.not_ready(parts("rolefree")[0]) or "ready"
        assert "it has no promote and no demote, so that it is not promotable" in why, why


@story
async def pacemakers_own_agent_with_roles_is_promoted_and_says_its_score() -> None:
    """`pacemaker:Stateful`, as Debian packages it."""
    given = RenderedResource(
        name="thing",
        ocf=Ocf(agent="pacemaker:Stateful", instance="st", parameters={"state": "/run/d-st.state"}, copies=2),
    )
    assert given.ocf is not None
    promotion = replace(given, ocf=replace(given.ocf, role="Promoted"))
    async with agents() as driver:
        assert [await driver.not_ready(one) for one in (given, promotion)] == [None, None]
        await driver.start(given, timeout_s=20)
        assert await driver.score(promotion) == 5
        await driver.start(promotion, timeout_s=20)
        assert [(await driver.check(one)).state for one in (given, promotion)] == [UP, UP]
        assert await driver.score(promotion) == 10
        assert await driver.stop(promotion, timeout_s=20) is None
        assert [(await driver.check(one)).state for one in (given, promotion)] == [UP, DOWN]
        assert await driver.score(promotion) == 5
        assert await driver.stop(given, timeout_s=20) is None
        try:
            raise AssertionError(f"it is down, and has a score: {await driver.score(promotion)}")
        except NoScore as error:
            assert "has set no promotion score" in str(error)
        assert unit_of(promotion) == unit_of(given).replace(".service", "-promoted.service")


if __name__ == "__main__":
    main(STORIES)
