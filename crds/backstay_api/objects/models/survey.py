"""HostSurvey: a person asks what a unit of one host uses, and that host's agent looks. It exists while somebody waits for the answer."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from backstay_api.objects.bounds import MOST_DOCUMENT

from .base import Column, Model, Object, Rule, Text, Timestamp
from .prerequisites import UnitName


class HostSurveySpec(Model):
    """What is asked. Never edited: a new question is a new object."""

    rules = (Rule("self == oldSelf", "a survey is not edited: delete it, and ask anew", lambda old, new: old == new),)
    unit: UnitName
    """What uses of the host are looked for: the unit that does the work."""
    by: Text
    """The user who asks, by the name that the API server knows him by."""
    until: Timestamp
    """Nobody waits for the answer after this time, on the agent's clock: it is not looked any more."""


class HostSurveyStatus(Model):
    """What came of it. Written by that host's agent."""

    phase: Literal["Running", "Done", "Failed"] | None = None
    """Running: it is being looked. Failed: it could not be, and `why` says why not."""
    why: Text = ""
    """Why there is no answer."""
    document: Annotated[str, Field(max_length=MOST_DOCUMENT)] = ""
    """What `backstay-agent survey UNIT` writes there: paths, names and numbers, and no value of any setting."""


class HostSurvey(Object):
    """A question what a unit of the host of that name uses, and the answer. Made and deleted by `backstay discover HOST UNIT`."""

    plural: ClassVar[str] = "hostsurveys"
    namespaced: ClassVar[bool] = False
    short_names: ClassVar[tuple[str, ...]] = ("hsv",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Unit", ".spec.unit"),
        Column("Phase", ".status.phase"),
        Column("By", ".spec.by"),
        Column("Why", ".status.why", wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    )
    kind: Literal["HostSurvey"] = "HostSurvey"
    spec: HostSurveySpec
    """Written by people of backstay:host-admins."""
    status: HostSurveyStatus = HostSurveyStatus()
    """Written by that host's agent."""
