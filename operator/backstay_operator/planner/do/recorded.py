"""Why an epoch went where it went, kept with the very write that grants it (ADR 21): no grant depends on it but
for whose word a promotion waits (`judge/promotion.py`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from backstay_api.objects.models.instance import GrantRecord, HAInstanceSpec, VerdictOnHosts
from backstay_operator.planner.judge.host_facts import Rejected
from backstay_operator.planner.judge.placement import Placed, Verdict
from backstay_operator.planner.words import first_words

MOST_GRANTS: Final = 5
_OWN: Final[Mapping[str, int]] = {"Chosen": 1, "Possible": 2, "No": 3}
"""So many reasons are kept of each verdict; hosts for which there is yet another stand together."""
MOST_HOSTS: Final = 32
_MOST_CHARS: Final = 240
_Said = tuple[str, str, str]
"""Verdict, rule and why."""


def grants(before: HAInstanceSpec, placed: Placed, why: str, wall: str) -> list[GrantRecord]:
    """The records of an instance with that of the epoch that begins now."""
    news = GrantRecord(
        epoch=before.epoch + 1, host=placed.host, at=wall, why=first_words(why, _MOST_CHARS), verdicts=_verdicts(placed)
    )
    return [news, *(before.grants or ())][:MOST_GRANTS]


def _verdicts(placed: Placed) -> list[VerdictOnHosts]:
    """Hosts of which the same was said stand together, in the order of the best."""
    said: dict[_Said, list[str]] = {}
    own = Counter[str]()
    for one in placed.verdicts:
        verdict, _, _ = known = _said(placed, one)
        if known not in said and own[verdict] >= _OWN[verdict]:
            known = (verdict, "", "each for a reason of its own")
        elif known not in said:
            own[verdict] += 1
        said.setdefault(known, []).append(one.host)
    return [_told(known, hosts) for known, hosts in said.items()]


def _told(known: _Said, hosts: Sequence[str]) -> VerdictOnHosts:
    verdict, rule, why = known
    more = max(0, len(hosts) - MOST_HOSTS)
    return VerdictOnHosts.model_validate(
        {"hosts": hosts[:MOST_HOSTS], "more": more, "verdict": verdict, "rule": rule, "why": why}
    )


def _said(placed: Placed, one: Verdict) -> _Said:
    if one.rejected:
        return _no(one.rejected)
    return (
        ("Chosen", "", first_words(placed.why)) if one.host == placed.host else ("Possible", "", first_words(one.why))
    )


@lru_cache(maxsize=4096)
def _no(rejected: Rejected) -> _Said:
    """Most hosts are told the same by most services."""
    return "No", rejected.rule, first_words(rejected.why)
