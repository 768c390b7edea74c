"""Ask a host, through the API server, what a unit there uses: a HostSurvey that exists while somebody waits for its answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from backstay_api.client.errors import AlreadyExists, ApiError, NotFound
from backstay_api.objects.durations import later
from backstay_api.objects.models import HostSurvey
from backstay_api.objects.models.base import Meta
from backstay_api.objects.models.survey import HostSurveySpec
from backstay_api.objects.object_kinds import HOST_SURVEYS, HOSTS
from backstay_api.objects.survey import Survey, UnreadableSurvey, parse_survey

from .rights import rights_to
from .session import FAILED, NO_SUCH_THING, Session, Stop
from .view import readable

ROLE: Final = "The role backstay:host-admins (the chart's value hostAdmins)"
LASTS_S: Final = 90.0
"""So long is waited for the answer; a look takes some seconds."""
BEGINS_S: Final = 20.0
"""So long for the host to begin."""
LOOK_EVERY_S: Final = 0.25


async def survey_of(session: Session, host: str, unit: str) -> Survey:
    """What its agent finds out there. Stop, with a sentence, where it does not."""
    unit = unit if "." in unit else f"{unit}.service"
    await session.need(rights_to("get create delete", HOST_SURVEYS), ROLE)
    try:
        await session.api.get(HOSTS, host)
    except NotFound:
        raise Stop(f"there is no host {host}", NO_SUCH_THING) from None
    await _ask(session, host, unit)
    try:
        return _read(await _answer(session, host, unit), host, unit)
    finally:
        with suppress(ApiError):
            await session.api.delete(HOST_SURVEYS, host)


async def _ask(session: Session, host: str, unit: str) -> None:
    by, wall = await session.tools.who_am_i(session.api), session.tools.wall()
    spec = HostSurveySpec(unit=unit, by=by, until=later(wall, LASTS_S))
    question = HostSurvey(metadata=Meta(name=host), spec=spec)
    try:
        await session.api.create(HOST_SURVEYS, question)
    except AlreadyExists:
        await _make_way(session, host, wall)
        await session.api.create(HOST_SURVEYS, question)


async def _make_way(session: Session, host: str, wall: str) -> None:
    """For one that nobody waits for any more: whoever asked has gone."""
    with suppress(NotFound):
        other = readable(await session.api.get(HOST_SURVEYS, host)).spec
        if other.until > wall:
            raise Stop(
                f"{other.by} has {other.unit} surveyed on {host} now, until {other.until} at most: try again then"
            )
        await session.api.delete(HOST_SURVEYS, host)


async def _answer(session: Session, host: str, unit: str) -> HostSurvey:
    clock, said = asyncio.get_running_loop(), ""
    begun_s = clock.time()
    while True:
        try:
            found = readable(await session.api.get(HOST_SURVEYS, host))
        except NotFound:
            raise Stop(f"somebody has taken the survey of {host} back") from None
        phase = found.status.phase or ""
        if phase in ("Done", "Failed"):
            return found
        if phase != said:
            session.err.print(f"{host} looks at {unit}", markup=False)
        said, waited_s = phase, clock.time() - begun_s
        if waited_s > (LASTS_S if phase else BEGINS_S):
            raise Stop(_why_not(host, unit, phase))
        await asyncio.sleep(LOOK_EVERY_S)


def _why_not(host: str, unit: str, phase: str) -> str:
    instead = f"`ssh {host} sudo backstay-agent survey {unit} | backstay discover --from -` asks nobody else"
    if phase:
        return f"{host} was not done with its look at {unit} after {LASTS_S:g} s; {instead}"
    return (
        f"{host} has not begun: its agent does not live (`backstay status`), is of an earlier release (`backstay version`), or its identity is"
        f" (`backstay host add {host}` gives it the right to it); {instead}"
    )


def _read(answer: HostSurvey, host: str, unit: str) -> Survey:
    if answer.status.phase == "Failed":
        raise Stop(f"{host} could not look at {unit}: {answer.status.why}", FAILED)
    try:
        return parse_survey(answer.status.document)
    except UnreadableSurvey as error:
        raise Stop(f"what {host} says of {unit} is no survey: {error}", FAILED) from error
