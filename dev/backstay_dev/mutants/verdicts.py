"""Mutants of placement, the first epoch and what is told of a host. Tables of cases find them."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, PLANNER, UNIT, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a hard error bars its host",
        f"{PLANNER}/judge/failures.py",
        ' or (self.told.error_type == "Hard" and self.told.host == host)',
        "",
        f"{UNIT}/planner/judge/test_judges.py",
    ),
    one(
        "a fatal error bars every host",
        f"{PLANNER}/judge/failures.py",
        'self.told.error_type == "Fatal" or (self.told.error_type == "Hard" and self.told.host == host)',
        'self.told.error_type != "Soft" and self.told.host == host',
        f"{UNIT}/planner/judge/test_judges.py",
    ),
    one(
        "what is final does not grow old",
        f"{PLANNER}/judge/failures.py",
        'failure.told.error_type == "Soft" and ',
        "",
        f"{UNIT}/planner/judge/test_judges.py",
    ),
    one(
        "what cannot work here is not tried again in place",
        f"{AGENT}/core/machine.py",
        "lambda now: now.outcome is _O.HOPELESS,",
        "lambda now: False,",
        f"{UNIT}/agent/test_recovery.py",
    ),
    one(
        "failback waits for a host that was fenced lately",
        f"{PLANNER}/judge/placement.py",
        ("    if wait_s is not None:\n        said"),
        ("    if False:\n        said"),
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "standbys answer for the present manifest",
        f"{PLANNER}/judge/placement.py",
        "    if answer is None or answer.revision != ask.service.metadata.generation:",
        "    if answer is None:",
        f"{UNIT}/planner/judge/test_placement.py",
    ),
    one(
        "a ready standby has nothing running",
        f"{PLANNER}/judge/placement.py",
        "    return answer.ready and not answer.active",
        "    return answer.ready",
        f"{UNIT}/planner/judge/test_placement.py",
    ),
    one(
        "hosts that said no are asked on",
        f"{PLANNER}/judge/placement.py",
        "    unwilling = [name for name in others if answers[name] is False]",
        "    unwilling = list[str]()",
        f"{UNIT}/planner/judge/test_placement.py",
    ),
    one(
        "an answer about an older manifest is none for the first epoch",
        f"{PLANNER}/judge/first_epoch.py",
        "    return report is not None and report.revision >= (service.metadata.generation or 0)",
        "    return report is not None",
        f"{UNIT}/planner/judge/test_first_epoch.py",
    ),
    one(
        "a host that is late and not silent is waited for before the first epoch",
        f"{PLANNER}/judge/first_epoch.py",
        ("of_host(world, host) in (Liveness.LIVE, Liveness.SUSPECT, Liveness.UNSURE)\n\n\ndef _has"),
        ("of_host(world, host) in (Liveness.LIVE,)\n\n\ndef _has"),
        f"{UNIT}/planner/judge/test_first_epoch.py",
    ),
    one(
        "what a host said before it was proven off does not hold up the first epoch",
        f"{PLANNER}/judge/first_epoch.py",
        ("        return False\n    return not is_proven_over(world, host, session.ref)\n\n\ndef _foreign"),
        ("        return False\n    return True\n\n\ndef _foreign"),
        f"{UNIT}/planner/judge/test_first_epoch.py",
    ),
    one(
        "what our own trouble hides is told as it was told before",
        f"{PLANNER}/tell/host_status.py",
        '(host.status.liveness or "Unknown") if liveness is Liveness.UNSURE else liveness.value',
        "liveness.value",
        f"{UNIT}/planner/tell/test_host_status.py",
    ),
    one(
        "late is not told as dead",
        f"{PLANNER}/tell/host_status.py",
        "is_true = None if liveness in (Liveness.SUSPECT, Liveness.UNSURE) else False",
        "is_true = False",
        f"{UNIT}/planner/tell/test_host_status.py",
    ),
    one(
        "a fencer that has been silent for long is not believed",
        f"{PLANNER}/judge/fence_path.py",
        "    if silent_s > FENCER_SILENT_S:",
        "    if False:",
        f"{UNIT}/planner/tell/test_host_status.py",
    ),
    one(
        "a host that is late is still open to services",
        f"{PLANNER}/tell/host_status.py",
        "    if facts.lost:\n",
        "    if facts.no_session:\n",
        f"{UNIT}/planner/tell/test_host_status.py",
    ),
    one(
        "why services may not come is told by its own reason",
        f"{PLANNER}/tell/host_status.py",
        "facts.unschedulable.reason or facts.unschedulable.rule",
        "facts.unschedulable.rule",
        f"{UNIT}/planner/tell/test_host_status.py",
    ),
    one(
        "a host whose session is only beginning is told as such",
        f"{PLANNER}/tell/host_status.py",
        '"Opening" if liveness is Liveness.LIVE else',
        "",
        f"{UNIT}/planner/tell/test_host_status.py",
    ),
    one(
        "an edit does not bring a unit that runs elsewhere already",
        f"{PLANNER}/judge/first_epoch.py",
        "    return _foreign(world, service, instance, foreign) if foreign else None",
        "    return None",
        f"{UNIT}/planner/judge/test_first_epoch.py",
    ),
    one(
        "before an edit brings a unit the holder is not asked",
        f"{PLANNER}/judge/first_epoch.py",
        "_asked_about_it(world, service, instance) if host != holder]",
        "_asked_about_it(world, service, instance)]",
        f"{UNIT}/planner/judge/test_first_epoch.py",
    ),
    one(
        "a later epoch that is over stands against no grant",
        f"{PLANNER}/judge/first_epoch.py",
        "        if report.released or report.epoch",
        "        if report.epoch",
        f"{UNIT}/planner/judge/test_first_epoch.py",
    ),
)
