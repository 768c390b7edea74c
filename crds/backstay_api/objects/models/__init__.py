"""The objects people and the two sides write, as pydantic models: the single source of the CRDs.

Field docstrings become the descriptions that `kubectl explain` shows. Every field says who writes it where that is not
the whole object's one writer. Rules stand beside the fields they bind, once, in both languages (see `base.Rule`).
"""

from .assignment import HostAssignment
from .claim import ResourceClaim
from .fencing import FenceRequest
from .host import Host
from .instance import HAInstance
from .service import HAService
from .service_class import ServiceClass
from .survey import HostSurvey

__all__ = [
    "ALL_OBJECTS",
    "FenceRequest",
    "HAInstance",
    "HAService",
    "Host",
    "HostAssignment",
    "HostSurvey",
    "ResourceClaim",
    "ServiceClass",
]

ALL_OBJECTS = (HAService, HAInstance, Host, HostAssignment, FenceRequest, ResourceClaim, ServiceClass, HostSurvey)
