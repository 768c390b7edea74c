"""A resource means the same to the operator's models and to the agent's plain classes, and survives the way to the host and back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backstay_api.generate.definitions import object_schema
from backstay_api.objects import plain
from backstay_api.objects.models import HAService
from backstay_api.objects.models.resources import RenderedResource, Resource
from backstay_api.objects.probe_kinds import PROBE_KINDS
from backstay_api.objects.resource_kinds import (
    STARTED,
    claims_of,
    identity,
    is_address,
    kinds_in,
    likely_start_order,
    units_of,
)
from backstay_api.objects.unit_names import canonical_unit
from backstay_testing.wire_objects import good

_SCHEMA = object_schema(HAService)["properties"]["spec"]["properties"]["resources"]["items"]["properties"]


@st.composite
def resources(draw: Any) -> dict[str, Any]:
    """One that can be started, as a manifest has it, with whatever may stand beside its kind."""
    kind = draw(st.sampled_from(STARTED))
    beside = {name: _SCHEMA[name] for name in ("timeouts", "probes", "strategy", "onFailure")}
    spec = within_its_rules(kind.wire, draw(good(_SCHEMA[kind.wire])))
    rest = draw(st.fixed_dictionaries({}, optional={name: good(schema) for name, schema in beside.items()}))
    asks = {one.wire for one in PROBE_KINDS}
    mine = asks if kind.field == "ocf" else asks - {"ocf"}
    probes = [one for one in rest.pop("probes", []) if len(one.keys() & asks) == len(one.keys() & mine) == 1]
    return {"name": draw(good(_SCHEMA["name"])), kind.wire: spec, "probes": probes, **rest}


def within_its_rules(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """What chance alone hardly ever keeps: programs with their whole path, a start and a stop, settings that may be overridden."""
    if kind == "systemd":
        return {name: value for name, value in spec.items() if name != "overrides"}
    if kind == "ocf":
        # What is promotable is told in two parts, of which each claims its own (tests/unit/planner/know/test_parts.py).
        return {name: value for name, value in spec.items() if name != "promotable"}
    if kind != "command":
        return spec
    programs = {word: [f"/{argv[0]}", *argv[1:]] for word, argv in spec.items() if word in ("start", "stop", "check")}
    return {"start": ["/bin/true"], "stop": ["/bin/true"], **programs}


def keeps_its_rules(raw: dict[str, Any]) -> bool:
    try:
        Resource.model_validate(raw)
    except ValidationError:
        return False
    return True


@given(resources().filter(keeps_its_rules))
def test_operator_and_agent_claim_the_same(raw: dict[str, Any]) -> None:
    asked = Resource.model_validate(raw)
    told = plain.RenderedResource.from_wire(asked.rendered.wire())
    assert claims_of([asked]) == claims_of([asked.rendered]) == claims_of([told]) != ()
    assert (identity(asked), units_of([asked]), is_address(asked)) == (
        identity(told),
        units_of([told]),
        is_address(told),
    )
    assert [kind for kind, _ in kinds_in([asked])] == [kind for kind, _ in kinds_in([told])]


@given(resources().filter(keeps_its_rules))
def test_what_an_agent_was_told_is_read_back_as_it_was(raw: dict[str, Any]) -> None:
    told = Resource.model_validate(raw).rendered
    assert Resource.model_construct(**dict(told)).rendered == told
    assert RenderedResource.model_validate(told.wire()) == told
    assert {name: value for name, value in told.wire().items() if name in raw} == {
        name: value for name, value in RenderedResource.model_validate(raw).wire().items() if name in raw
    }


@given(st.lists(st.tuples(st.sampled_from("aZ0:_.-@"), st.sampled_from(["plain", "x{:02x}", "x{:02X}"]))))
def test_every_spelling_of_a_unit_is_one_name(stem: list[tuple[str, str]]) -> None:
    """A dash that is escaped is another letter than a dash, for systemd too; anything else that need not be escaped is itself."""
    spelled, one_form = "", ""
    for letter, how in stem:
        is_escaped = how != "plain"
        spelled += "\\" + how.format(ord(letter)) if is_escaped else letter
        one_form += f"\\x{ord(letter):02x}" if is_escaped and letter in "-@" else letter
    assert canonical_unit(f"{spelled}.service") == f"{one_form}.service"


def test_where_nothing_says_in_which_order_they_were_started_what_carries_others_is_first_and_addresses_last() -> None:
    address = plain.RenderedResource(name="a", virtual_ip=plain.VirtualIP(address="192.0.2.1/24"))
    disk = plain.RenderedResource(name="d", mount=plain.Mount(device="/dev/sdb", path="/srv/a"))
    units = (plain.Systemd(unit=f"{name}.service") for name in "so")
    server, other = (plain.RenderedResource(name=unit.unit, systemd=unit) for unit in units)
    assert likely_start_order([address, server, disk, other]) == [disk, server, other, address]
