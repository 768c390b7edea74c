"""Ask a host, through the API server, what a unit there uses: a HostSurvey that exists while somebody waits for its answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from pydantic import ValidationError

from backstay_api.client.errors import AlreadyExists, ApiError, NotFound
from backstay_api.objects.durations import between_s, later
from backstay_api.objects.models import HostSurvey
from backstay_api.objects.models.base import Meta
from backstay_api.objects.models.survey import HostSurveySpec
from backstay_api.objects.object_kinds import HOST_SURVEYS, HOSTS
from backstay_api.objects.survey import Survey, UnreadableSurvey, parse_survey
from backstay_api.objects.unit_names import unit_as_typed

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
    await session.need(rights_to("get create delete", HOST_SURVEYS), ROLE)
    try:
        await session.api.get(HOSTS, host)
    except NotFound:
        raise Stop(f"there is no host {host}", NO_SUCH_THING) from None
    asked = await _ask(session, host, unit_as_typed(unit))
    try:
        return _read(await _answer(session, asked), asked)
    finally:
        # Somebody else may have asked since.
        with suppress(ApiError):
            await session.api.delete(HOST_SURVEYS, host, uid=asked.uid)


async def _ask(session: Session, host: str, unit: str) -> HostSurvey:
    by = await session.tools.who_am_i(session.api)
    # The API server's clock is nearer to the host's than that of whoever asks.
    now = await session.tools.server_time(session.api) or session.tools.wall()
    try:
        spec = HostSurveySpec(unit=unit, by=by, until=later(now, LASTS_S))
    except ValidationError as error:
        raise Stop(f"{unit!r} is no name of a unit", FAILED) from error
    question = HostSurvey(metadata=Meta(name=host), spec=spec)
    try:
        return readable(await session.api.create(HOST_SURVEYS, question))
    except AlreadyExists:
        await _make_way(session, host, now)
        return readable(await session.api.create(HOST_SURVEYS, question))


async def _make_way(session: Session, host: str, now: str) -> None:
    """For one that nobody waits for any more: whoever asked has gone."""
    with suppress(NotFound):
        other = readable(await session.api.get(HOST_SURVEYS, host))
        if _is_awaited(now, other.spec.until):
            said = f"{other.spec.by} has {other.spec.unit} surveyed on {host} now, until {other.spec.until} at most"
            raise Stop(f"{said}: try again then")
        await session.api.delete(HOST_SURVEYS, host, uid=other.uid)


def _is_awaited(now: str, until: str) -> bool:
    try:
        return between_s(now, until) > 0
    except ValueError:  # as 30 February, which the schema takes
        return False


async def _answer(session: Session, asked: HostSurvey) -> HostSurvey:
    host, unit, clock, said = asked.metadata.name, asked.spec.unit, asyncio.get_running_loop(), ""
    begun_s = clock.time()
    while True:
        try:
            found = readable(await session.api.get(HOST_SURVEYS, host))
        except NotFound:
            raise Stop(f"somebody has taken the survey of {host} back") from None
        if found.uid != asked.uid:
            raise Stop(f"{found.spec.by} has taken the survey of {host} back, and asked about {found.spec.unit}")
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
    anew = f"`backstay host add {host}` gives it the right to it, and it notices within half a minute"
    return (
        f"{host} has not begun after {BEGINS_S:g} s: its agent does not live (`backstay status`), is of an earlier release"
        f" (`backstay version`), or its identity is ({anew}); {instead}"
    )


def _read(answer: HostSurvey, asked: HostSurvey) -> Survey:
    host, unit = asked.metadata.name, asked.spec.unit
    if answer.status.phase == "Failed":
        raise Stop(f"{host} could not look at {unit}: {answer.status.why}", FAILED)
    try:
        return parse_survey(answer.status.document)
    except UnreadableSurvey as error:
        raise Stop(f"what {host} says of {unit} is no survey: {error}", FAILED) from error
