"""For any assignment, the agent's plain classes and the models say the same JSON."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from backstay_api.generate.definitions import object_schema
from backstay_api.objects import models, plain
from backstay_testing.wire_objects import good

SCHEMA = object_schema(models.HostAssignment)["properties"]
META = st.fixed_dictionaries(
    {"name": st.text(min_size=1, max_size=5)},
    optional={
        "uid": st.text(max_size=5),
        "resourceVersion": st.text("0123456789", min_size=1),
        "generation": st.integers(0, 9),
        "labels": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        "finalizers": st.lists(st.text(max_size=3), max_size=2),
        "ownerReferences": st.lists(st.just({"kind": "Host", "name": "n1"}), max_size=1),
    },
)
WIRE = st.fixed_dictionaries(
    {"metadata": META}, optional={"spec": good(SCHEMA["spec"]), "status": good(SCHEMA["status"])}
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WIRE)
def test_the_same_json_comes_out(raw: dict[str, Any]) -> None:
    try:
        expected = models.HostAssignment.from_wire(raw).wire()
    except ValidationError:
        return
    read = plain.HostAssignment.from_wire(raw)
    assert read.to_wire() == expected
    assert plain.HostAssignment.from_wire(expected) == read, "defaults that are written out change nothing"
