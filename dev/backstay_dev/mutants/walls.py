"""Mutants of the chart's admission policies: what an API server refuses, whatever a role allows."""

from __future__ import annotations

from typing import Final

from .kinds import CHART, ON_A_SERVER, Mutant, one

_WALLS, _CHART = ON_A_SERVER
_CONFIRMS: Final = f"{_CHART}::test_who_confirms_changes_nothing_else_of_the_request"
_GLASS: Final = f"{_WALLS}::test_a_finalizer_can_be_taken_off_the_lock_by_who_breaks_the_glass"
_LOCK: Final = f"{CHART}/admission.yaml"
_OURS: Final = f"{CHART}/admission-walls.yaml"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "who confirms does not say what becomes of the machine after that",
        _LOCK,
        "object.spec.after == oldObject.spec.after && ",
        "",
        _CONFIRMS,
    ),
    one(
        "who confirms does not say why it was asked for",
        _LOCK,
        " && object.spec.?why == oldObject.spec.?why",
        "",
        _CONFIRMS,
    ),
    one(
        "who confirms does not say which machine was meant",
        _LOCK,
        "\n        && object.spec.?machineUUID == oldObject.spec.?machineUUID",
        "",
        _CONFIRMS,
    ),
    one(
        "who confirms does not withdraw it",
        _LOCK,
        " && object.spec.want == oldObject.spec.want\n",
        "\n",
        _CONFIRMS,
    ),
    one(
        "who breaks the glass gives the lock back, and never edits it",
        _LOCK,
        "oldObject != null && object.spec == oldObject.spec\n",
        "oldObject != null\n",
        _GLASS,
    ),
    one(
        "who breaks the glass adds no finalizer",
        _LOCK,
        "        && object.metadata.?finalizers.orValue([]).all(f, f in oldObject.metadata.?finalizers.orValue([]))\n",
        "",
        _GLASS,
    ),
    one(
        "an agent neither makes nor deletes its Lease",
        _OURS,
        " + request.name && request.operation == 'UPDATE'\n",
        " + request.name\n",
        f"{_WALLS}::test_an_agent_renews_its_lease_and_never_makes_or_deletes_one_whatever_its_role_says",
    ),
    one(
        "an identity holds nothing",
        _OURS,
        "      expression: object.?data.orValue({}).size() == 0\n",
        "      expression: 'true'\n",
        f"{_WALLS}::test_an_identity_holds_nothing",
    ),
    one(
        "a fence device names no program however it is spelt",
        _OURS,
        "!key.replace('-', '_').matches(",
        "!key.matches(",
        f"{_WALLS}::test_a_fence_device_names_no_program_and_no_file",
    ),
)
