"""What the driver of OCF agents makes of roles: what a monitor says of a copy and of its promotion, and what a promotion score is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backstay_agent.drivers.base import NoScore, Seen, StartFailed, State, StopFailed
from backstay_agent.drivers.ocf import driver as driver_module
from backstay_agent.drivers.ocf import helpers
from backstay_agent.drivers.ocf.driver import OcfDriver, unit_name, verbs
from backstay_agent.drivers.ocf.metadata import Action, Metadata
from backstay_agent.drivers.ocf.outcomes import seen, seen_promoted
from backstay_agent.drivers.tools import start_units
from backstay_agent.drivers.tools.transient import Ended
from backstay_api.objects.plain import Ocf, RenderedResource

COPY = Ocf(agent="d:x", instance="db", copies=2)
PROMOTION = Ocf(agent="d:x", instance="db", copies=2, role="Promoted")
PLAIN = Ocf(agent="d:x", instance="db")
UP, DOWN, UNKNOWN, FAILED = State.RUNNING, State.STOPPED, State.UNKNOWN, State.FAILED


@pytest.mark.parametrize(
    ("code", "ours", "not_ours"),
    [
        (0, DOWN, DOWN),
        (1, FAILED, UNKNOWN),
        (2, FAILED, UNKNOWN),
        (3, FAILED, UNKNOWN),
        (4, FAILED, UNKNOWN),
        (5, FAILED, DOWN),
        (6, FAILED, UNKNOWN),
        (7, DOWN, DOWN),
        (8, UP, UP),  # promoted by somebody else, it is promoted all the same
        (9, FAILED, UNKNOWN),
        (190, DOWN, DOWN),
        (191, UP, UP),
        (255, FAILED, UNKNOWN),
        (None, FAILED, UNKNOWN),
    ],
)
def test_what_a_monitor_says_of_a_promotion(code: int | None, ours: State, not_ours: State) -> None:
    assert seen_promoted(code, "why", Seen(State.RUNNING)).state is ours
    assert seen_promoted(code, "why", Seen(State.STOPPED)).state is not_ours
    assert seen_promoted(code, "why", Seen(State.FAILED)).state is not_ours
    for under_way in (Seen(State.STARTING), Seen(State.STOPPING), Seen(State.UNKNOWN, "left", left=True)):
        assert code in (8, 191) or seen_promoted(code, "why", under_way) == under_way


def test_what_is_promoted_and_degraded_says_why_and_what_we_have_not_promoted_too() -> None:
    assert seen_promoted(8, "why", Seen(State.RUNNING)) == Seen(State.RUNNING)
    assert seen_promoted(191, "one disk is gone", Seen(State.RUNNING)) == Seen(State.RUNNING, "one disk is gone")
    assert seen_promoted(8, "by whom?", Seen(State.STOPPED)) == Seen(State.RUNNING, "by whom?")
    assert seen_promoted(9, "why", Seen(State.STOPPED)).left


@pytest.mark.parametrize(("code", "why"), [(8, ""), (191, "why")])
def test_a_copy_that_is_promoted_is_up_where_that_is_wanted_and_has_failed_where_it_is_not(code: int, why: str) -> None:
    assert seen(code, "why", Seen(State.RUNNING), is_promoted=True) == Seen(State.RUNNING, why)
    assert seen(code, "why", Seen(State.RUNNING)).state is FAILED


# --- the driver on a fake systemd -------------------------------------------------------------------------------------


class FakeManager:
    """Units by their states; whatever is not named is down."""

    def __init__(self, states: Mapping[str, str]) -> None:
        self.states = dict(states)

    async def properties(self, unit: str) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"ActiveState": self.states.get(unit, "inactive"), "ControlGroup": ""}


class Answers:
    """A resource agent that answers so; a fake of `Agents`."""

    def __init__(self, codes: Mapping[str, list[int]]) -> None:
        self.codes = {operation: list(found) for operation, found in codes.items()}
        self.asked: list[str] = []
        self.interval_s: float | None = None
        """As it was told at last: 0 is what agents call a probe."""
        self.cuts = 0
        """How often a notification was cut short, if there was one."""
        self.before_answer: Callable[[], object] = lambda: None
        self.metadata = Metadata({}, (Action("promote", 7.0), Action("demote", 9.0), Action("start", 60.0)))

    async def operate(self, ocf: Ocf, operation: str, limit_s: float, **more: Any) -> Ended:
        await asyncio.sleep(0)
        self.asked.append(operation)
        self.interval_s = more.get("interval_s")
        self.before_answer()
        left = self.codes[operation]
        code = left.pop(0) if len(left) > 1 else left[0]
        return Ended(code, "d:x", f"exited with {code}")

    async def notify(self, ocf: Ocf, limit_s: float, about: Mapping[str, str]) -> Ended:
        await asyncio.sleep(0)
        self.asked.append(f"{about['notify_type']}-{about['notify_operation']}")
        return Ended(0, "d:x", "exited with 0")

    def turn(self, ocf: Ocf) -> asyncio.Lock:
        return asyncio.Lock()

    def cut_notify(self, ocf: Ocf) -> None:
        self.cuts += 1

    async def known(self, ocf: Ocf, version: object = None) -> Metadata:
        await asyncio.sleep(0)
        return self.metadata


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def there(ocf: Ocf) -> tuple[None, None]:
        await asyncio.sleep(0)
        return None, None

    async def nothing(*asked: object) -> str:
        await asyncio.sleep(0)
        return ""

    monkeypatch.setattr(driver_module, "installed", there)
    monkeypatch.setattr(driver_module, "bring_down", nothing)
    monkeypatch.setattr(start_units, "end_escaped", nothing)


def driver_of(answers: Answers, **states: str) -> OcfDriver:
    """`copy`, `promotion`: the states of their units."""
    named = {"copy": unit_name(COPY), "promotion": unit_name(PROMOTION)}
    made = OcfDriver(cast(Any, FakeManager({named[which]: state for which, state in states.items()})))
    made._agents = cast(Any, answers)
    return made


def thing(ocf: Ocf) -> RenderedResource:
    return RenderedResource(name="db", ocf=ocf)


@pytest.mark.parametrize(
    ("ocf", "code", "promotion", "state"),
    [
        pytest.param(COPY, 8, "active", UP, id="a copy that we have promoted"),
        pytest.param(COPY, 8, "activating", UP, id="that is being promoted"),
        pytest.param(COPY, 8, "inactive", FAILED, id="nobody asked for that"),
        pytest.param(COPY, 8, "failed", FAILED, id="its promotion has failed"),
        pytest.param(COPY, 191, "active", UP, id="promoted and degraded"),
        pytest.param(COPY, 0, "active", UP, id="a copy is up, promoted or not"),
        pytest.param(PLAIN, 8, "active", FAILED, id="without roles none is promoted"),
        pytest.param(PROMOTION, 8, "active", UP, id="the promotion"),
        pytest.param(PROMOTION, 0, "active", DOWN, id="it was demoted by somebody else"),
        pytest.param(PROMOTION, 7, "active", DOWN, id="its copy is down"),
        pytest.param(PROMOTION, 9, "active", FAILED, id="it has failed"),
        pytest.param(PROMOTION, 0, "inactive", DOWN, id="a copy that is not promoted"),
        pytest.param(PROMOTION, 8, "inactive", UP, id="promoted by somebody else"),
    ],
)
def test_what_is_seen_of_a_copy_and_of_its_promotion(ocf: Ocf, code: int, promotion: str, state: State) -> None:
    driver = driver_of(Answers({"monitor": [code]}), copy="active", promotion=promotion)
    assert asyncio.run(driver.check(thing(ocf))).state is state


@pytest.mark.parametrize(
    ("ocf", "copy", "promotion", "is_probe"),
    [
        pytest.param(COPY, "active", "inactive", False, id="a copy"),
        pytest.param(COPY, "inactive", "inactive", True, id="no copy"),
        pytest.param(PROMOTION, "active", "active", False, id="a promotion"),
        pytest.param(PROMOTION, "active", "inactive", False, id="whether a copy is promoted"),
        pytest.param(PROMOTION, "inactive", "inactive", True, id="whether what is not ours is promoted"),
    ],
)
def test_a_copy_that_we_have_started_is_asked_by_no_probe(ocf: Ocf, copy: str, promotion: str, is_probe: bool) -> None:
    """In a probe `pgsql` sets its promotion score back to that of a standby."""
    answers = Answers({"monitor": [0]})
    asyncio.run(driver_of(answers, copy=copy, promotion=promotion).check(thing(ocf)))
    assert (answers.interval_s == 0.0) == is_probe


@pytest.mark.parametrize(("before", "after"), [("inactive", "active"), ("active", "inactive")])
def test_what_is_promoted_or_demoted_while_it_is_asked_has_not_failed(before: str, after: str) -> None:
    answers = Answers({"monitor": [8]})
    driver = driver_of(answers, copy="active", promotion=before)
    units = cast(FakeManager, driver._manager)
    answers.before_answer = lambda: units.states.update({unit_name(PROMOTION): after})
    assert asyncio.run(driver.check(thing(COPY))).state is UP


@pytest.mark.parametrize("code", [0, 190, 7])
def test_a_promotion_is_stopped_by_demote_once_its_monitor_says_that_it_is_not_promoted(code: int) -> None:
    answers = Answers({"demote": [0], "monitor": [code]})
    driver = driver_of(answers, copy="active", promotion="active")
    assert asyncio.run(driver._down(thing(PROMOTION))) == "" and answers.asked == ["demote", "monitor"]


def test_before_its_own_demote_an_agent_is_notified_of_it_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helpers, "Shared", lambda resource: SimpleNamespace(told={}))
    answers = Answers({"demote": [0], "monitor": [8, 0]})
    answers.metadata = Metadata({}, (Action("notify", 7.0), Action("demote", 9.0)))
    driver = driver_of(answers, copy="active", promotion="active")
    asyncio.run(driver._down(thing(PROMOTION)))
    assert answers.asked == ["pre-demote", "demote", "monitor"] * 2


@pytest.mark.parametrize("code", [8, 191, 9, 1])
def test_a_demote_that_has_not_demoted_is_tried_twice_and_then_a_stop_that_failed(code: int) -> None:
    answers = Answers({"demote": [0], "monitor": [code]})
    driver = driver_of(answers, copy="active", promotion="active")
    with pytest.raises(StopFailed, match=r"0, 190 and 7 mean not promoted"):
        asyncio.run(driver._down(thing(PROMOTION)))
    assert answers.asked == ["demote", "monitor"] * 2


@pytest.mark.parametrize(("code", "ended"), [(0, 1), (8, 0)])
def test_by_the_unit_of_a_promotion_the_next_try_knows_of_it_until_it_is_over(
    code: int, ended: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of the next agent, and where the resource agent is gone by then."""
    brought_down: list[str] = []

    async def bring_down(manager: object, unit: str, left_s: float) -> str:
        await asyncio.sleep(0)
        brought_down.append(unit)
        return ""

    monkeypatch.setattr(driver_module, "bring_down", bring_down)
    driver = driver_of(Answers({"demote": [1], "monitor": [code]}), copy="active", promotion="active")
    with suppress(StopFailed):
        asyncio.run(driver._down(thing(PROMOTION)))
    assert brought_down == [unit_name(PROMOTION)] * ended


def test_a_promote_that_took_too_long_may_have_promoted_whatever_became_of_its_unit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is over when a monitor says so; not because nothing can be asked, or because nothing is configured any more."""
    driver = driver_of(Answers({"demote": [0], "monitor": [5]}), copy="active")

    async def nothing(*asked: object) -> None:
        await asyncio.sleep(0)

    async def late(*asked: object) -> None:
        raise TimeoutError

    async def words(why: str, properties: object) -> str:
        await asyncio.sleep(0)
        return why

    @asynccontextmanager
    async def watch(unit: str) -> AsyncIterator[Any]:
        yield SimpleNamespace(properties={})

    for name, fake in (("_unfit", nothing), ("_same_unique", nothing), ("_up", late)):
        monkeypatch.setattr(driver, name, fake)
    monkeypatch.setattr(driver._manager, "watch", watch, raising=False)
    monkeypatch.setattr(driver_module, "with_last_words", words)
    monkeypatch.setattr(driver_module, "state_words", lambda watch: "activating")
    with pytest.raises(StartFailed, match="promote did not bring it up"):
        asyncio.run(driver._start(thing(PROMOTION)))
    with pytest.raises(StopFailed):
        asyncio.run(driver._down(thing(PROMOTION)))

    async def removed(ocf: Ocf) -> str:
        await asyncio.sleep(0)
        return "there is no such program"

    monkeypatch.setattr(driver_module, "missing", removed)
    with pytest.raises(StopFailed, match="put that back"):
        asyncio.run(driver.stop(thing(PROMOTION), timeout_s=1))


def test_a_copy_is_not_down_before_its_monitor_says_so() -> None:
    answers = Answers({"stop": [0], "monitor": [0, 7]})
    driver = driver_of(answers, copy="active")
    assert asyncio.run(driver._down(thing(COPY))) == "" and answers.asked == ["stop", "monitor"] * 2
    assert answers.cuts == 2, "no stop waits for a notification"


def test_a_copy_and_its_promotion_are_one_thing_with_two_units() -> None:
    assert unit_name(COPY) == unit_name(PLAIN) and unit_name(PROMOTION) == unit_name(COPY).replace(
        ".service", "-promoted.service"
    )
    assert (verbs(COPY), verbs(PROMOTION)) == (("start", "stop"), ("promote", "demote"))
    driver = driver_of(Answers({}))
    assert [asyncio.run(driver.start_limit_s(thing(one))) for one in (COPY, PROMOTION)] == [60, 7]


def test_what_was_promoted_is_stopped_before_its_copy_by_an_agent_that_has_lost_its_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def found(*asked: object) -> dict[str, RenderedResource]:
        await asyncio.sleep(0)
        return {"a": thing(PROMOTION), "b": thing(COPY)}

    monkeypatch.setattr(start_units, "remembered", found)
    left = asyncio.run(driver_of(Answers({})).leftovers())
    assert left == [thing(COPY), thing(PROMOTION)], "stopped from the last to the first"


@pytest.mark.parametrize(
    ("ocf", "actions", "says"),
    [
        pytest.param(COPY, ("promote", "demote"), [], id="it has roles"),
        pytest.param(PLAIN, (), [], id="nobody asks for roles"),
        pytest.param(COPY, ("promote",), ["it has no demote, so that it is not promotable"], id="it cannot give up"),
        pytest.param(PROMOTION, (), ["it has no promote and no demote, so that it is not promotable"], id="no roles"),
    ],
)
def test_an_agent_without_roles_is_not_ready_for_any(ocf: Ocf, actions: tuple[str, ...], says: list[str]) -> None:
    assert [*driver_module._roles(ocf, Metadata({}, tuple(map(Action, actions))))] == says


# --- promotion scores -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noted", "score"),
    [
        ("10", 10),
        ("+5", 5),
        ("0", 0),
        ("INFINITY", 1_000_000),
        ("-1", "has set its promotion score (crm_master) to -1: below zero it is not promoted"),
        ("-INFINITY", "has set its promotion score (crm_master) to -INFINITY: below zero it is not promoted"),
        ("much", "has set a promotion score (crm_master) that is no number: much"),
        (None, "has set no promotion score (crm_master) here"),
    ],
)
def test_a_promotion_score_is_read_as_pacemaker_reads_it(tmp_path: Path, noted: str | None, score: int | str) -> None:
    places = (tmp_path / "boot", tmp_path / "ever")
    if noted is not None:
        told = {"OCF_RESOURCE_INSTANCE": "db"}
        assert helpers.answer(["crm_master", "-l", "reboot", "-v", noted], told, places=places) == (0, "")
    assert helpers.promotion_score("db", places=places) == score


def test_what_lasts_until_the_boot_counts_before_what_lasts_for_ever(tmp_path: Path) -> None:
    places = (tmp_path / "boot", tmp_path / "ever")
    for lasts, value in (("forever", "3"), ("reboot", "7")):
        helpers.answer(["crm_master", "-l", lasts, "-v", value, "-r", "db"], {}, places=places)
    assert helpers.promotion_score("db", places=places) == 7
    helpers.answer(["crm_master", "-l", "reboot", "-D", "-r", "db"], {}, places=places)
    assert helpers.promotion_score("db", places=places) == 3


def test_the_driver_tells_the_score_or_why_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = driver_of(Answers({}))
    monkeypatch.setattr(helpers, "promotion_score", lambda resource: 7 if resource == "db" else "has set none")
    assert asyncio.run(driver.score(thing(PROMOTION))) == 7
    with pytest.raises(NoScore, match="d:x has set none"):
        asyncio.run(driver.score(thing(Ocf(agent="d:x", instance="other", copies=2, role="Promoted"))))
