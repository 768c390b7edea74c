"""The lab's own arithmetic, without a lab: gaps, faults and when they are over, the lies of a BMC, the image's recipe."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_dev.lab.assets import ensure_assets
from backstay_dev.lab.bmc import Bmc, Knobs
from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.poller import changes, longest_gap
from backstay_dev.lab.relay.faults import Faults
from backstay_dev.lab.relay.http import Broken, Head, copy_body, read_head
from backstay_dev.lab.relay.relay import Fault, Kind
from backstay_dev.lab.shell import LabError
from backstay_dev.simulator.virtualtime import in_virtual_time


@pytest.mark.parametrize(
    ("answered_s", "since_s", "end_s", "gap"),
    [
        pytest.param([1.0, 1.1, 1.5, 1.6], 0, 1.7, (1.1, 1.5), id="between two answers"),
        pytest.param([1.0, 1.1], 0, 4, (1.1, 4), id="nobody has come back yet"),
        pytest.param([1.0, 1.1, 3.0], 2, 3, (1.1, 3.0), id="the last answer before the fault is where it begins"),
        pytest.param([5.0, 5.1], 2, 5.1, (5.0, 5.1), id="before the first answer nothing was promised"),
        pytest.param([], 2, 9, (2, 9), id="never an answer"),
    ],
)
def test_a_gap_is_what_the_client_saw(
    answered_s: list[float], since_s: float, end_s: float, gap: tuple[float, float]
) -> None:
    found = longest_gap(answered_s, since_s=since_s, end_s=end_s)
    assert (found.begin_s, found.end_s) == gap


@given(st.lists(st.floats(0, 100), max_size=30).map(sorted), st.floats(0, 100))
def test_no_two_answers_in_a_row_are_further_apart_than_the_longest_gap(times: list[float], end_s: float) -> None:
    found = longest_gap(times, since_s=0, end_s=end_s)
    assert all(later - earlier <= found.length_s for earlier, later in pairwise(times))


def test_the_way_from_host_to_host() -> None:
    assert changes(["n1", "n1", "n2", "n2", "n1"]) == ["n1", "n2", "n1"]


class OneMachine:
    """A machine that is on or off as it is set, and has a power button."""

    def __init__(self) -> None:
        self.is_on = True

    def power_off(self) -> None:
        self.is_on = False


def a_bmc(**knobs: Any) -> Bmc:
    return Bmc(cast(LabHost, OneMachine()), 0, 0, knobs=Knobs(**knobs))


@pytest.mark.parametrize(
    ("knobs", "before", "after"),
    [
        pytest.param({}, ["on", "on"], ["off", "off"], id="an honest one"),
        pytest.param({"always_on": True}, ["on", "on"], ["on", "on"], id="on for ever"),
        pytest.param({"off_then_on": True}, ["off", "on", "off"], ["on", "off"], id="off and on by turns"),
        pytest.param({"ignores_presses": True}, ["on"], ["on"], id="a button without a wire"),
        pytest.param({"read_gap_s": 3600.0}, ["on"], ["on", "on"], id="reads that are an hour behind"),
    ],
)
def test_what_a_bmc_reads_before_and_after_the_button(
    knobs: dict[str, Any], before: list[str], after: list[str]
) -> None:
    bmc = a_bmc(**knobs)
    assert [bmc.read() for _ in before] == before
    bmc.press("off")
    assert [bmc.read() for _ in after] == after


def _head(target: str = "/api", method: str = "GET") -> Head:
    return Head(b"", f"{method} {target} HTTP/1.1", {})


@in_virtual_time
async def test_a_fault_is_over_after_its_time_its_count_or_its_removal() -> None:
    faults = Faults()
    timed = faults.add(Fault(Kind.STATUS, for_s=10))
    counted = faults.add(Fault(Kind.STATUS, count=2))
    assert [one.number for one in faults.take("n1", _head(), {Kind.STATUS})] == [timed, counted]
    assert [one.number for one in faults.take("n1", _head(), {Kind.STATUS})] == [timed, counted]
    assert [one.number for one in faults.take("n1", _head(), {Kind.STATUS})] == [timed]
    await asyncio.sleep(10)
    assert faults.standing("n1", _head(), {Kind.STATUS}) == []
    assert (faults.hits(timed), faults.hits(counted)) == (3, 2)


@in_virtual_time
async def test_who_is_held_by_a_fault_is_let_go_when_it_is_over() -> None:
    faults = Faults()
    faults.add(Fault(Kind.HANG, for_s=7))
    begun_s = asyncio.get_running_loop().time()
    await faults.over(1)
    assert asyncio.get_running_loop().time() - begun_s == 7


@pytest.mark.parametrize(
    ("fault", "source", "head", "met"),
    [
        (Fault(Kind.HANG), "n1", _head(), True),
        (Fault(Kind.HANG, source="n2"), "n1", _head(), False),
        (Fault(Kind.HANG, path="/leases/n1$"), "n1", _head("/apis/leases/n1"), True),
        (Fault(Kind.HANG, path="/leases/n1$"), "n1", _head("/apis/leases/n10"), False),
        (Fault(Kind.HANG, method="PUT"), "n1", _head(), False),
    ],
)
def test_a_fault_meets_only_whom_it_is_meant_for(fault: Fault, source: str, head: Head, met: bool) -> None:
    @in_virtual_time
    async def story() -> bool:
        faults = Faults()
        faults.add(fault)
        return faults.standing(source, head, {Kind.HANG}) != []

    assert story() == met


def test_control_plane_programs_given_by_others_must_be_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etcd").touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(LabError, match="has no kube-apiserver, kubectl: unset it"):
        ensure_assets()


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=5), st.integers(0, 400))
def test_a_body_in_pieces_comes_out_whole_or_not_at_all(pieces: list[bytes], cut_at: int) -> None:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

    @in_virtual_time
    async def story() -> bytes | None:
        reader = asyncio.StreamReader()
        reader.feed_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body[:cut_at])
        reader.feed_eof()
        head = await read_head(reader)
        assert head is not None
        try:
            return await copy_body(reader, head, answer_to="GET")
        except (Broken, asyncio.IncompleteReadError):
            return None

    assert story() == (body if cut_at >= len(body) else None)
