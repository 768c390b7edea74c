"""What the status of a service says of it while it works badly, or well."""

from __future__ import annotations

from backstay_api.objects.models.service import HAServiceStatus
from backstay_testing.control_scene import WALL


def degraded(status: str, reason: str, message: str) -> HAServiceStatus:
    condition = {"type": "Degraded", "status": status, "reason": reason, "message": message, "lastTransitionTime": WALL}
    instances = [{"name": "web-0", "epoch": 1}]
    return HAServiceStatus.model_validate({"conditions": [condition], "instances": instances})


WELL, PARTLY, SLOW, TWICE = (
    degraded("False", "AsWanted", "No problem was found"),
    degraded("True", "WorksPartly", "one disk is gone"),
    degraded("True", "Suspect", "it answers slowly"),
    degraded("True", "SecondCopy", "n2 runs it too"),
)
