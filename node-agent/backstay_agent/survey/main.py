"""`backstay-agent survey UNIT`: asks all sources about one unit, each in a process of its own, and writes what they found."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from backstay_agent.policy.files import read_policy
from backstay_api import VERSION
from backstay_api.objects.survey import Clue, PathFacts, Skipped, Survey, empty, merged, survey_text
from backstay_api.objects.unit_names import unit_as_typed
from backstay_api.process.waiting import clock_s

from . import mounts, units
from .contained import Look, Unanswered, contained
from .place import Place
from .sources import SOURCES, SurveySource
from .systemd import Systemd, SystemdRefuses

LIMIT_S: Final = 30.0
"""Of a whole survey. What is not looked at by then is said."""
MOST_PATHS: Final = 1500
"""Of the document: open files below one directory are folded into it first."""
NOT_DONE: Final = 1
NO_SUCH_UNIT: Final = 2
_FOLDED: Final = ("Read", "Written")


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: the survey is on standard output; 1: it cannot be made; 2: there is no such unit. Why not, standard error says."""
    parser = argparse.ArgumentParser(
        prog="backstay-agent survey",
        description="Say what a unit of this host uses: for `backstay discover --from -`. Looks, and changes nothing. Needs root.",
    )
    parser.add_argument("unit", help="for example nginx.service, or postgresql@15-main.service")
    unit = parser.parse_args(arguments).unit
    unit = unit_as_typed(unit)
    if os.geteuid() != 0:
        return _end("it must be root, to see what processes of other users have open", NOT_DONE)
    try:
        survey = asyncio.run(_survey(unit))
    except units.NotSurveyed as error:
        return _end(str(error), NO_SUCH_UNIT)
    except SystemdRefuses as error:
        return _end(f"{unit}: systemd says: {error}", NO_SUCH_UNIT)
    print(survey_text(survey))
    return 0


def _end(why: str, code: int) -> int:
    print(f"backstay-agent survey: {why}", file=sys.stderr)
    return code


async def _survey(unit: str) -> Survey:
    begun_s = clock_s()
    host = socket.gethostname()
    # The first look is at the unit itself and decides whether there is anything to survey; it reads no more than names.
    first = units.unit(Systemd(), Place(), unit, empty(unit, host, VERSION))
    survey = await ask_sources(SOURCES, first, until_s=begun_s + LIMIT_S)
    return replace(
        tidied(survey),
        host=host,
        agent=VERSION,
        policy=read_policy().sentence,
        duration_s=round(clock_s() - begun_s, 2),
    )


async def ask_sources(
    sources: Iterable[SurveySource], survey: Survey, *, until_s: float, place: Place | None = None
) -> Survey:
    """What all of these find, each told of what those before it did. One that fails is named, and the others go on."""
    base = place or Place()
    for source in sources:
        here = replace(base, avoid=mounts.may_hang(survey))
        try:
            limit_s = min(source.limit_s, until_s - clock_s())
            if limit_s <= 0:
                raise Unanswered("no time was left")
            found = await contained(_bound(source, here, survey), limit_s=limit_s)
        except Unanswered as error:
            survey = replace(survey, skipped=(*survey.skipped, Skipped(source.name, str(error))))
        else:
            # What the source says of the unit itself is newer.
            survey = merged(replace(survey, units=(*found.units[:1], *survey.units[1:])), found)
    return survey


def _bound(source: SurveySource, place: Place, survey: Survey) -> Look:
    return lambda: source.look(place, survey)


def tidied(survey: Survey) -> Survey:
    """Without what no reader needs: filesystems that nothing lies on, and of a directory with data each file in it."""
    survey = mounts.used(survey)
    paths = tuple(_folded(survey.paths))
    skipped = (Skipped("paths", f"only the first {MOST_PATHS} of {len(paths)}"),) if len(paths) > MOST_PATHS else ()
    return replace(survey, paths=paths[:MOST_PATHS], skipped=(*survey.skipped, *skipped))


def _folded(paths: Sequence[PathFacts]) -> Iterator[PathFacts]:
    trees = [one.path for one in paths if one.tree]
    counts = dict.fromkeys(trees, 0)
    kept = []
    for one in paths:
        tree = next((each for each in trees if one.path.startswith(f"{each}/")), "")
        if tree and all(clue.how in _FOLDED for clue in one.clues) and not one.is_secret and not one.certificate:
            counts[tree] += 1
        else:
            kept.append(one)
    for one in kept:
        clue = (Clue("Written", f"{counts[one.path]} files below it are open"),) if counts.get(one.path) else ()
        yield replace(one, clues=(*one.clues, *clue))
