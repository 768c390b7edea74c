"""Rules 1 to 5 and 28: units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backstay_api.objects.survey import Survey, UnitFacts
from backstay_cli.drafting.needs import Case, Confidence, Need, label, matches

_CLAIMABLE: Final = (".service", ".socket", ".timer", ".path", ".mount")
_MOST_LIMIT_S: Final = 600
"""A longer time to stop would be waited for at each move."""


def asked(case: Case) -> Iterator[Need]:
    """With a probe and limits, where the unit's own are not enough."""
    unit = case.survey.main
    rest: dict[str, Any] = {}
    if timeouts := _timeouts(unit, case.recipe.timeouts):
        rest["timeouts"] = timeouts
    kind, why = _probe(case)
    if kind:
        rest["probes"] = [{"name": "alive", **kind, "period": "2s", "failureThreshold": 3}]
    notes = ["the unit asked for", *([why] if why else [])]
    if unit.ignores_failure:
        notes.append(
            'careful: ExecStart has a "-": systemd calls a failed start a success, and the probe is what tells'
        )
    yield Need("systemd", {"unit": unit.name}, "server", "; ".join(notes), strategy="Move", rest=rest)


def _timeouts(unit: UnitFacts, known: Mapping[str, str]) -> dict[str, str]:
    """Of a unit that waits for ever, or an hour, a failover would too."""
    given = dict(known)
    if unit.stop_limit_s > _MOST_LIMIT_S or (unit.stop_limit_s == 0 and unit.type != ""):
        given.setdefault("stop", "60s")
    if unit.start_limit_s == 0 and unit.type not in ("", "oneshot"):
        given.setdefault("start", "5m")
    return {name: given[name] for name in ("start", "stop") if name in given}


def _probe(case: Case) -> tuple[Mapping[str, Any], str]:
    """The recipe's, else a connection to the first port that it listens at."""
    listens = [one for one in case.survey.sockets if one.role == "Listens" and one.protocol == "tcp"]
    said = (
        "listens at " + ", ".join(dict.fromkeys(f"{one.local or '*'} port {one.port}" for one in listens))
        if listens
        else ""
    )
    if case.recipe.probe:
        return case.recipe.probe, said
    if not listens:
        return {}, "listens at no port: DECIDE how it can be told that it works (probes: see docs/how-to/probes.md)"
    one = min(listens, key=lambda each: each.port)
    place = {} if one.local in ("", "::", "0.0.0.0", "127.0.0.1") else {"host": one.local}
    return {"tcpSocket": {"port": one.port, **place}}, said


def starts_it(case: Case) -> Iterator[Need]:
    """A socket that stays behind would start it where it may not run."""
    for unit in case.survey.units:
        if unit.role == "Starts" and unit.name.endswith(_CLAIMABLE):
            yield _unit(unit, f"starts {case.survey.main.name}", Confidence.SURE)


def required(case: Case) -> Iterator[Need]:
    """It comes and goes with the service."""
    for unit in _others(case.survey, "Requires"):
        if not _is_shared(case, unit):
            yield _unit(unit, f"{case.survey.main.name} requires it, and nothing else does", Confidence.LIKELY)


def required_by_others(case: Case) -> Iterator[Need]:
    """Whether it is part of this service only a person can say."""
    for unit in _others(case.survey, "Requires"):
        if _is_shared(case, unit):
            yield _undecided(
                case, unit, f"{case.survey.main.name} requires it, and so does {', '.join(_users(case, unit)[:3])}"
            )


def peers(case: Case) -> Iterator[Need]:
    """It answers on this host, and may on no other."""
    for unit in _others(case.survey, "Peer"):
        if not matches(unit.name, case.baseline.units):
            yield _undecided(case, unit, f"it is connected to {unit.link}, which {unit.name} answers")


def follows(case: Case) -> Iterator[Need]:
    """Work that belongs where the data is."""
    for unit in case.survey.units:
        if unit.role == "Follows" and unit.name.endswith(_CLAIMABLE):
            yield _unit(
                unit,
                f"runs something as {case.survey.main.user or 'the same user'}: it must run where the data is",
                Confidence.LIKELY,
            )


def _others(survey: Survey, role: str) -> Iterator[UnitFacts]:
    return (unit for unit in survey.units if unit.role == role and unit.name.endswith((".service", ".socket")))


def _is_shared(case: Case, unit: UnitFacts) -> bool:
    return bool(_users(case, unit))


def _users(case: Case, unit: UnitFacts) -> list[str]:
    return [one for one in unit.users if one != case.survey.main.name]


def _unit(unit: UnitFacts, why: str, confidence: Confidence) -> Need:
    return Need(
        "systemd", {"unit": unit.name}, label(unit.name.replace(".service", "")), why, confidence, strategy="Move"
    )


def _undecided(case: Case, unit: UnitFacts, why: str) -> Need:
    choices = (
        "part of this service: write it above the server, as it stands here",
        f"a service of its own: make an HAService of {unit.name}; or leave it running on every host",
    )
    return Need(
        "systemd",
        {"unit": unit.name},
        label(unit.name.replace(".service", "")),
        why,
        strategy="Undecided",
        choices=choices,
    )
