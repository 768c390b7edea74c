"""An agent brings a file from a Secret: asks for what it lacks and for nothing else, says what keeps it from that, and names nothing by what is
in it."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.core.editions import SOAK_S, Edition, without_words
from backstay_agent.core.health import Verdict
from backstay_api.client.errors import Forbidden
from backstay_api.memory.server import Change, Fate, Request
from backstay_api.objects.editions import EDITION, LEFT_OUT, REFUSED, STAGED, TRIAL, WHY_REFUSED, edition_id, edition_of
from backstay_api.objects.kinds import SECRETS
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.names import files_secret
from backstay_api.objects.plain import PrerequisiteOrder, RenderedFile, RenderedPrerequisite
from backstay_api.objects.rbac import FILES_TYPE
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import World, enrolled
from backstay_testing.editions import PATH, PROBED, said, there, until_says
from backstay_testing.editions import bring as plainly

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32
TEXTS = {ONE: "hunter2", TWO: "hunter3"}
NAME = files_secret("n1")


def file(secret: str, use: str = "") -> RenderedFile:
    return RenderedFile(path=PATH, secret=secret, validate_with=("/bin/check",), reload=("server",), use=use)


A, B = edition_id(file(ONE)), edition_id(file(TWO))


async def bring(world: World, secret: str, use: str, *, revision: int = 1) -> None:
    resources = (RenderedPrerequisite(name="config", file=file(secret, use)),)
    told = PrerequisiteOrder(namespace="shop", name="web-u1", revision=revision, resources=resources)
    await world.operator.patch(ASSIGNMENTS, "n1", {"spec": {"prerequisites": {"u1": told.to_wire()}}})


def gives(world: World, *names: str, left_out: str = "") -> None:
    """What the operator has put into this host's Secret."""
    data = {name: base64.b64encode(TEXTS[name].encode()).decode() for name in names}
    meta = {"name": NAME, "namespace": NAMESPACE, "annotations": {LEFT_OUT: left_out}}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": FILES_TYPE, "data": data}
    if world.cluster.bodies(SECRETS, NAMESPACE):
        world.cluster.patch(SECRETS, (NAMESPACE, NAME), {"data": {**dict.fromkeys(TEXTS), **data}}, actor="operator")
    else:
        world.cluster.create(SECRETS, NAMESPACE, body, actor="operator")


class Asked:
    """`Faults`: counts what is asked for Secrets, and can be away."""

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self.is_away, self.is_forbidden = False, False

    def request(self, request: Request) -> Fate:
        if request.actor != "agent":
            return Fate()
        if request.resource == SECRETS.resource:
            self.secrets.append(f"{request.verb} {request.namespace}/{request.name}")
            if self.is_forbidden:
                return Fate(error=Forbidden("no"))
        return Fate(unreachable="no route" if self.is_away else "")

    def event(self, watch: Request, change: Change | None) -> float | None:
        return None if self.is_away else 0.0


@in_virtual_time
async def test_it_asks_for_what_it_lacks_once_and_puts_it_there_for_root_alone() -> None:
    asked = Asked()
    world = await enrolled(faults=asked)
    gives(world, ONE)
    await bring(world, ONE, A)
    found = await until_says(world, EDITION, A)
    assert (world.machine.files[PATH], found.why) == (Edition("hunter2", "root", "root", "0600"), "")
    await asyncio.sleep(60)
    await world.kill_agent()
    world.start_agent()
    await asyncio.sleep(60)
    assert asked.secrets == [f"get {NAMESPACE}/{NAME}"], (
        "what is remembered is not asked for, and only its own Secret is"
    )
    gives(world, ONE, TWO)
    await bring(world, TWO, B, revision=2)
    await until_says(world, EDITION, B)
    assert len(asked.secrets) == 2


@pytest.mark.parametrize(
    ("how", "why"),
    [
        pytest.param(
            "none",
            f"there is no Secret {NAMESPACE}/{NAME} for what is in it: `backstay host add n1` makes it",
            id="no Secret",
        ),
        pytest.param("forbidden", "`backstay host add n1` makes it, with the right to it", id="no right"),
        pytest.param("empty", f"what is in it has not come to Secret {NAMESPACE}/{NAME} yet", id="not there yet"),
        pytest.param("full", "which holds 768 KiB: make this host's files from Secrets shorter or fewer", id="no room"),
    ],
)
@in_virtual_time
async def test_what_keeps_it_from_that_is_said_and_passes_by_itself(how: str, why: str) -> None:
    asked = Asked()
    world = await enrolled(faults=asked)
    asked.is_forbidden = how == "forbidden"
    if how != "none":
        gives(world, left_out=ONE if how == "full" else "")
    await bring(world, ONE, A)
    await asyncio.sleep(30)
    found = await said(world)
    assert found.why == f"{PATH} is not in place yet"
    assert why in found.facts[WHY_REFUSED]
    assert there(world) is None
    assert len(asked.secrets) <= 4, "not more often than it may pass"
    asked.is_forbidden = False
    gives(world, ONE)
    await until_says(world, EDITION, A)


async def on_trial(asked: Asked) -> World:
    world = await enrolled(faults=asked)
    gives(world, ONE, TWO)
    await bring(world, ONE, A)
    await until_says(world, EDITION, A)
    await world.order(resources=PROBED)
    await world.phase_is("Running")
    await bring(world, TWO, A, revision=2)

    async def is_staged() -> bool:
        return B in (await said(world)).facts.get(STAGED, "").split()

    await world.until(is_staged)
    await bring(world, TWO, B, revision=2)
    await until_says(world, TRIAL, B)
    return world


@in_virtual_time
async def test_what_the_service_is_not_well_with_is_taken_back_though_nobody_can_be_asked() -> None:
    asked = Asked()
    world = await on_trial(asked)
    asked.is_away = True
    world.system.judges["server"](Verdict.FAILS, "probe alive: connection refused")
    await asyncio.sleep(3)
    assert there(world) == "hunter2"
    asked.is_away = False
    await until_says(world, REFUSED, B)
    assert len(asked.secrets) == 2


@in_virtual_time
async def test_what_is_on_trial_is_proven_though_what_is_wanted_next_cannot_be_had() -> None:
    asked = Asked()
    world = await on_trial(asked)
    asked.is_forbidden = True
    await bring(world, THREE, B, revision=3)
    await world.kill_agent()
    world.start_agent()
    found = await until_says(world, EDITION, B)
    assert there(world) == "hunter3" and TRIAL not in found.facts
    await asyncio.sleep(20)
    assert "`backstay host add n1`" in (await said(world)).facts[WHY_REFUSED]


@in_virtual_time
async def test_what_was_there_before_is_not_named_by_what_is_in_it() -> None:
    world = await enrolled()
    mine = world.machine.files[PATH] = Edition("12345", "root", "root", "0600")
    gives(world, ONE)
    await world.order(resources=PROBED)
    await world.phase_is("Running")
    await bring(world, ONE, "")
    await until_says(world, TRIAL, A)
    told = json.dumps([one.to_wire() for one in (await world.assignment()).status.prerequisites.values()])
    assert edition_of("12345", "root", "root", "0600") == mine.id and mine.id not in told
    world.system.judges["server"](Verdict.FAILS, "probe alive: connection refused")
    await asyncio.sleep(SOAK_S / 2)
    assert world.machine.files[PATH] == mine, "and it comes back"


@pytest.mark.parametrize(("mode", "is_named"), [("0600", False), ("0640", False), ("0644", True)])
@in_virtual_time
async def test_nor_is_what_not_everybody_may_read_though_the_manifest_says_what_comes(
    mode: str, is_named: bool
) -> None:
    """The Secret of before, whose resource has another name and a content now."""
    world = await enrolled()
    mine = world.machine.files[PATH] = Edition("12345", "root", "root", mode)
    await world.order(resources=PROBED)
    await world.phase_is("Running")
    await plainly(world, Edition("open"), Edition("open"))
    await until_says(world, TRIAL, Edition("open").id)
    told = json.dumps([one.to_wire() for one in (await world.assignment()).status.prerequisites.values()])
    assert (mine.id in told) is is_named


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("/bin/check exited with 3; it said: line 2: hunter2", "what checks it exited with 3; its words are not told"),
        (
            f"/bin/check exited with 3; it said: {PATH}:12: hunter2",
            f"exited with 3, at {PATH}:12; its words are not told",
        ),
        (
            "/bin/check did not end within 30 s; it said: exited with 99 hunter2",
            "what checks it did not call it right; its",
        ),
        (f"/bin/x exited with 1; it said: {PATH}:hunter2 {PATH}.old:3", "what checks it exited with 1; its words"),
    ],
)
def test_of_what_a_program_says_its_exit_code_and_lines_of_files_are_told(said: str, told: str) -> None:
    found = without_words(said, [PATH])
    assert told in found and "hunter2" not in found


@in_virtual_time
async def test_what_is_kept_here_is_kept_for_root_alone_and_its_name_says_nothing() -> None:
    world = await enrolled()
    gives(world, ONE)
    await bring(world, ONE, A)
    await until_says(world, EDITION, A)
    told = json.dumps((await world.assignment()).to_wire())
    assert "hunter2" not in told and ONE in told
