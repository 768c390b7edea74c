"""Rules about a change (a grant, a session, evidence, a claim): the models and a real API server judge each step alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_api.objects.models import FenceRequest, HostAssignment, ResourceClaim
from backstay_api.objects.object_kinds import HA_INSTANCES
from backstay_testing.agreement import KINDS, MINIMAL, Json, Server, assert_both_were_tried, bounded
from backstay_testing.instances import SANE_INSTANCES, spoilt, steps_from

pytestmark = pytest.mark.api


def in_words(spec: Json) -> str:
    return f"epoch {spec['epoch']} {'granted' if 'grant' in spec else 'closed'}"


@pytest.mark.parametrize("before", SANE_INSTANCES, ids=in_words)
def test_every_step_of_an_instance(server: Server, before: Json) -> None:
    old = server.created(HA_INSTANCES, before)
    tried = [{**old, "spec": after} for step in steps_from(before) for after in spoilt(step)]
    accepted = [server.agrees_on_change(HA_INSTANCES, old, new) for new in tried]
    assert 0 < sum(accepted) < len(accepted) / 2, "most steps are wrong, or this test says nothing"


@pytest.mark.parametrize("sane", SANE_INSTANCES, ids=in_words)
def test_every_new_instance(server: Server, sane: Json) -> None:
    accepted = [server.agrees_on_new(HA_INSTANCES, spec) for spec in spoilt(sane)]
    assert 0 < sum(accepted) < len(accepted)


AGENT_SESSION = st.fixed_dictionaries(
    {
        "bootID": st.sampled_from(["b1", "b2"]),
        "nonce": st.sampled_from(["n1", "n2"]),
        "seq": st.integers(1, 3),
        "machineUUID": st.sampled_from(["m1", "m1", "m1", "m2"]),
    }
)
EVIDENCE = st.fixed_dictionaries({"level": st.sampled_from(["bmc", "pdu"]), "why": st.just("read off twice")})
NO_STATUS = st.none()


@pytest.mark.parametrize(
    ("model", "statuses"),
    [
        pytest.param(
            HostAssignment,
            NO_STATUS | st.fixed_dictionaries({}, optional={"session": AGENT_SESSION}),
            id="sessions only go forward",
        ),
        pytest.param(
            FenceRequest, NO_STATUS | st.fixed_dictionaries({}, optional={"evidence": EVIDENCE}), id="evidence stays"
        ),
    ],
)
def test_a_change_of_status(server: Server, model: type[Any], statuses: st.SearchStrategy[Any]) -> None:
    """A status that is left out must not evade the rules."""
    kind, accepted = KINDS[model], []

    @bounded
    @given(statuses, statuses)
    def holds(before: Any, after: Any) -> None:
        old = server.created(kind, MINIMAL[model])
        code, old = server.update(kind, {**old, "status": before or {}}, "status")
        assert code == 200, old
        bare = {name: value for name, value in old.items() if name != "status"}
        new = bare if after is None else {**bare, "status": after}
        accepted.append(server.agrees_on_change(kind, old, new, "status"))

    holds()
    assert_both_were_tried(accepted)


CONFIRM = st.fixed_dictionaries({"by": st.sampled_from(["ann", "bob"]), "at": st.just("2026-01-01T00:00:00Z")})
OWNER = st.fixed_dictionaries(
    {**{name: st.just("a") for name in ("namespace", "name")}, "uid": st.sampled_from(["a", "a", "b"])},
    optional={"instance": st.sampled_from(["i", "j"]), "epoch": st.integers(0, 2), "revision": st.integers(0, 2)},
)
HOST_OWNERS = st.dictionaries(st.sampled_from(["n1", "n2", "n3"]), OWNER, min_size=1).map(
    lambda owners: [{**owner, "host": host} for host, owner in sorted(owners.items())]
)


@pytest.mark.parametrize(
    ("model", "specs"),
    [
        pytest.param(
            FenceRequest,
            st.fixed_dictionaries(
                {
                    "host": st.sampled_from(["n1", "n1", "n1", "n2"]),
                    "session": st.sampled_from(["n1", "n1", "n1", "n2"]).map(
                        lambda nonce: {"bootID": "b", "nonce": nonce, "seq": 1}
                    ),
                    "want": st.sampled_from(["Observe", "Off", "Withdrawn"]),
                },
                optional={"confirm": CONFIRM},
            ),
            id="a request is for one session for ever",
        ),
        pytest.param(
            ResourceClaim,
            st.fixed_dictionaries(
                {"type": st.sampled_from(["Address", "Device"]), "key": st.sampled_from("aab"), "owner": OWNER}
            ),
            id="a claim of the whole cluster has one owner for ever, and what it records only grows",
        ),
        pytest.param(
            ResourceClaim,
            st.fixed_dictionaries(
                {"type": st.sampled_from(["Unit", "Unit", "Command"]), "key": st.just("a"), "hosts": HOST_OWNERS}
            ),
            id="a unit goes from one service to the next only by way of nobody, host by host",
        ),
    ],
)
def test_a_change_of_spec(server: Server, model: type[Any], specs: st.SearchStrategy[Any]) -> None:
    kind, accepted = KINDS[model], []

    @bounded
    @given(specs, specs)
    def holds(before: Json, after: Json) -> None:
        old = server.created(kind, before)
        accepted.append(server.agrees_on_change(kind, old, {**old, "spec": after}))

    holds()
    assert_both_were_tried(accepted)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"type": "Unit", "key": "a"}, id="a unit that belongs to nobody anywhere"),
        pytest.param({"type": "Address", "key": "a"}, id="an address that belongs to nobody"),
        pytest.param(
            {"type": "Unit", "key": "a", "owner": {"namespace": "a", "name": "a", "uid": "a"}, "hosts": []},
            id="a unit that belongs to somebody everywhere",
        ),
        pytest.param({"type": "Command", "key": "a", "hosts": []}, id="no host at all"),
        pytest.param(
            {
                "type": "Unit",
                "key": "a",
                "hosts": [{"namespace": "a", "name": "a", "uid": u, "host": "n1"} for u in "ab"],
            },
            id="one host twice",
        ),
    ],
)
def test_a_new_claim(server: Server, spec: Json) -> None:
    server.agrees_on_new(KINDS[ResourceClaim], spec)
