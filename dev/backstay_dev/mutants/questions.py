"""Mutants of what asks and looks: probes, what only degrades, what is slow, second copies, and the host's own checks."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, API, PLANNER, STORIES, UNIT, Mutant, one

_PROBES: Final = f"{AGENT}/run/probes.py"
_GRPC: Final = f"{AGENT}/run/asking/grpc_health.py"
_WEB: Final = f"{AGENT}/run/asking/web.py"
_CONNECTIONS: Final = f"{AGENT}/run/asking/connections.py"
_HEALTH: Final = f"{AGENT}/core/health.py"
_SANITY: Final = f"{AGENT}/core/sanity.py"
_P: Final = f"{UNIT}/agent/run/test_probes.py"
_H: Final = f"{UNIT}/agent/run/asking/test_http.py"
_G: Final = f"{UNIT}/agent/run/asking/test_grpc.py"
_C: Final = f"{UNIT}/agent/core/test_health.py"
_S: Final = f"{UNIT}/agent/core/test_sanity.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "what no host reaches holds starts back for a time only",
        f"{AGENT}/core/sanity.py",
        "for one in found if not one.tolerated]",
        "for one in found]",
        f"{UNIT}/agent/core/test_sanity.py",
        f"{STORIES}/test_unfit_hosts.py",
    ),
    one(
        "how long something is out of reach counts from when it was reached last",
        f"{AGENT}/host_checks.py",
        "out_of_reach_s = out_of_reach_s if lasting[-1] else clock_s()",
        "out_of_reach_s = out_of_reach_s",
        f"{UNIT}/agent/test_host_checks.py",
    ),
    one(
        "a probe that only degrades makes nothing fail",
        _PROBES,
        "(self.degrading if only_degrades(probe) else self.failing)[",
        "self.failing[",
        _P,
    ),
    one(
        "no start waits for a probe that only degrades",
        _PROBES,
        "{probe.name for probe in resource.probes if not only_degrades(probe)}",
        "{probe.name for probe in resource.probes}",
        _P,
    ),
    one(
        "its holder asks nothing that other hosts ask",
        f"{AGENT}/run/monitoring.py",
        "if (mine := asked_by_holder(resource)).probes]",
        "if (mine := resource).probes]",
        f"{UNIT}/agent/test_verdicts.py",
    ),
    one(
        "a host that is not ready asks nobody as a client",
        f"{AGENT}/standby/client_probes.py",
        "if uid in reports and reports[uid].ready}",
        "if uid in reports}",
        f"{UNIT}/agent/standby/test_client_probes.py",
    ),
    one(
        "what a standby misses in an epoch that is over counts for nothing",
        f"{PLANNER}/tell/other_hosts.py",
        "for host, one in said.items() if one.no_answer_epoch == instance.spec.epoch}",
        "for host, one in said.items() if one.no_answer_epoch}",
        f"{UNIT}/planner/tell/test_other_hosts.py",
    ),
    one(
        "what degrades is told also where it works on",
        f"{AGENT}/core/reports.py",
        'degraded=_of_each(view.degraded) if is_healthy else "",',
        'degraded="",',
        f"{UNIT}/agent/test_verdicts.py",
    ),
    one(
        "what works partly is degraded and ready",
        f"{PLANNER}/tell/status.py",
        "and (report.suspect or report.degraded):",
        "and report.suspect:",
        f"{UNIT}/planner/tell/test_status.py",
    ),
    one("a status outside of the range is not good", _WEB, "first <= code <= (last or first)", "first <= code", _H),
    one(
        "a body has the length that was told",
        _WEB,
        "min(int(length), _MOST_BODY_BYTES)",
        "_MOST_BODY_BYTES",
        _H,
    ),
    one(
        "a certificate is checked by the authority that is named",
        _CONNECTIONS,
        "ssl.create_default_context(cafile=tls.ca_file)",
        "ssl.create_default_context()",
        _H,
    ),
    one(
        "a file that hangs costs one thread",
        _CONNECTIONS,
        'shared(("tls", tls, tuple(speaks)), _context',
        "shared(object(), _context",
        _H,
    ),
    one("a call that failed is no answer", _GRPC, 'if status.strip("0"):', "if False:", _G),
    one("only SERVING is well", _GRPC, "None if health == _SERVING else", "None if health else", _G),
    one(
        "a probe's mistakes are refused before it is asked",
        f"{API}/objects/probe_kinds.py",
        'return f"{kind.wire}.{why}" if why else ""',
        'return ""',
        f"{UNIT}/planner/judge/test_acceptance.py",
    ),
    one("what answers that it fails is never given more time", _HEALTH, "    if now.refused:\n", "    if False:\n", _C),
    one(
        "one answer of a row that says so is enough",
        _HEALTH,
        "(look.in_time or health.refused)",
        "look.in_time",
        _C,
    ),
    one("more time is given once an episode", _HEALTH, "if now.spent < by.more else", "if True else", _C),
    one("a suspicion is bounded", _HEALTH, "    if spent < by.more:\n", "    if True:\n", _C),
    one(
        "an episode is over when it is calm again",
        _HEALTH,
        "row >= RECENT else health.spent",
        "False else health.spent",
        _C,
    ),
    one("without a reason no answer is a failure", _HEALTH, "    if not slow and not high:\n", "    if False:\n", _C),
    one("one slow answer alone is chance", _HEALTH, "min(now.took_s[-SLOW:])", "max(now.took_s[-SLOW:])", _C),
    one(
        "a start is given no more time",
        _PROBES,
        "by if starting or only_degrades(probe) else",
        "by if only_degrades(probe) else",
        _P,
    ),
    one(
        "what has never answered is not called running",
        f"{AGENT}/run/checks.py",
        "if health.took_s else",
        "if True else",
        f"{UNIT}/agent/test_verdicts.py",
    ),
    one(
        "a check that was killed has said nothing",
        f"{AGENT}/run/checks.py",
        "check.took_s, check.in_time)",
        "check.took_s, in_time=True)",
        f"{UNIT}/agent/test_verdicts.py",
    ),
    one(
        "a second copy is told",
        f"{PLANNER}/tell/other_hosts.py",
        "return (SECOND_COPY, why) if why else None",
        "return None",
        f"{UNIT}/planner/tell/test_status.py",
    ),
    one(
        "of what may run twice no copy is a second one",
        f"{PLANNER}/judge/first_epoch.py",
        "if host != instance.holder) if instance.spec.exclusive else ()",
        "if host != instance.holder)",
        f"{UNIT}/planner/tell/test_status.py",
    ),
    one(
        "since when a second copy is seen does not change",
        f"{AGENT}/core/reports.py",
        "before.get(uid, now)",
        "now",
        f"{UNIT}/agent/core/test_reports.py",
    ),
    one(
        "what is suspected is told",
        f"{PLANNER}/tell/status.py",
        "return SUSPECT if report.suspect else WORKS_PARTLY",
        "return WORKS_PARTLY",
        f"{UNIT}/planner/tell/test_status.py",
    ),
    one(
        "a host that was short of memory has to be well below the limit",
        _SANITY,
        "limit = CALM_PERCENT if was_wrong else STALLED_PERCENT",
        "limit = STALLED_PERCENT",
        _S,
    ),
    one(
        "a clock that jumped is believed again after a while",
        _SANITY,
        "or signs.since_jump_s >= STEADY_S",
        "",
        _S,
    ),
    one("what one look finds is nothing yet", _SANITY, "if what in self._before)", "if True)", _S),
    one(
        "what runs stays on a host that is not fit unless that is asked for",
        f"{PLANNER}/know/liveness.py",
        'host.spec.checks.on_failure == "Drain"',
        "True",
        f"{UNIT}/planner/judge/test_judges.py",
    ),
    one(
        "a look-up that hangs costs one thread",
        f"{AGENT}/host_checks.py",
        'shared(("lookup", what), how)',
        "shared(object(), how)",
        f"{UNIT}/agent/test_host_checks.py",
    ),
    one(
        "what a host is to look at is brought to it",
        f"{PLANNER}/do/orders.py",
        "        and stored.checks == merged.checks\n",
        "",
        f"{UNIT}/planner/do/test_orders.py",
    ),
    one(
        "a host with problems is ready for nothing",
        f"{AGENT}/agent.py",
        "held_back(reports[uid], self._problems or ())",
        "reports[uid]",
        f"{UNIT}/agent/test_verdicts.py",
    ),
    one(
        "an agent that does not check is not called fit",
        f"{PLANNER}/tell/host_status.py",
        "    if found is None:\n",
        "    if False:\n",
        f"{UNIT}/planner/tell/test_host_status.py",
    ),
)
