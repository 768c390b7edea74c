"""Mutants of what closes an epoch: evidence, and the fencer that makes it (PROTOCOL 5)."""

from __future__ import annotations

from typing import Final

from .kinds import FENCER, PLANNER, STORIES, UNIT, Edit, Mutant, one

_EVIDENCE: Final = f"{PLANNER}/judge/evidence.py"
_CORE: Final = f"{FENCER}/core.py"
_WORKER: Final = f"{FENCER}/worker.py"
_T: Final = (f"{UNIT}/planner/judge/test_evidence.py", f"{STORIES}/test_edges.py")
_F: Final = (
    f"{UNIT}/fencer/test_core.py",
    f"{UNIT}/fencer/test_stories.py",
    f"{UNIT}/fencer/test_on_again.py",
    f"{UNIT}/fencer/test_device_edits.py",
    f"{UNIT}/fencer/test_withdrawn.py",
    f"{UNIT}/fencer/test_shared_uuid.py",
)

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a grant needs evidence",
        _EVIDENCE,
        "    return Missing(_what_is_missing(world, instance, grant))",
        "    if of_host(world, grant.host) in (Liveness.SILENT, Liveness.SEALED):\n"
        '        return Evidence("Device", "it is silent, so it must be dead")\n'
        "    return Missing(_what_is_missing(world, instance, grant))",
        "sim:fencing",
        quick=True,
    ),
    one(
        "Released is said for exactly this epoch",
        f"{PLANNER}/know/sessions.py",
        "    return report if report is not None and report.epoch == instance.spec.epoch else None",
        "    return report",
        *_T,
    ),
    one(
        "Released comes from the machine that the grant names",
        _EVIDENCE,
        "session.boot_id != grant.session.boot_id or session.machine_uuid != grant.machine_uuid:",
        "session.boot_id != grant.session.boot_id:",
        *_T,
    ),
    one(
        "a session supersedes only those that it names",
        _EVIDENCE,
        "    if grant.session.nonce in session.supersedes and session.seq > grant.session.seq:",
        "    if session.seq > grant.session.seq:",
        *_T,
    ),
    one(
        "a session supersedes only those of a lower seq",
        _EVIDENCE,
        "    if grant.session.nonce in session.supersedes and session.seq > grant.session.seq:",
        "    if grant.session.nonce in session.supersedes:",
        *_T,
    ),
    one(
        "Boot is evidence of the same machine only",
        _EVIDENCE,
        '    if session is None or session.machine_uuid != grant.machine_uuid:\n        return ""\n    if session.boot_id ==',
        '    if session is None:\n        return ""\n    if session.boot_id ==',
        *_T,
    ),
    one(
        "Boot needs a seq above the grant's",
        _EVIDENCE,
        "    if session.boot_id == grant.session.boot_id or session.seq <= grant.session.seq:",
        "    if session.boot_id == grant.session.boot_id:",
        *_T,
        "sim:reboots",
    ),
    one(
        "a new nonce of the same boot is no Boot evidence",
        _EVIDENCE,
        "    if session.boot_id == grant.session.boot_id or session.seq <= grant.session.seq:",
        "    if session.seq <= grant.session.seq:",
        *_T,
    ),
    one(
        "Boot needs a Lease that the newer session has written by itself",
        _EVIDENCE,
        "    if not has_renewed(world, grant.host, session):",
        "    if False:",
        *_T,
    ),
    one(
        "a session for which the Lease was reopened has not renewed it yet",
        _EVIDENCE,
        "seen.lease.holder == session.text and seen.lease.renewal > 0",
        "seen.lease.holder == session.text",
        *_T,
    ),
    one(
        "a person's word counts only once the session is sealed or gone",
        _EVIDENCE,
        "    if confirm is None or not is_sealed_or_gone(world, host, session):",
        "    if confirm is None:",
        *_T,
    ),
    one(
        "a renewal disproves a person's word",
        _EVIDENCE,
        "request is None or is_disproved(world, request):",
        "request is None:",
        *_T,
        f"{STORIES}/test_faults.py",
        f"{STORIES}/test_text.py",
        f"{STORIES}/test_hostile.py",
    ),
    one(
        "evidence counts for exactly this session",
        _EVIDENCE,
        "request.spec.host == host and request.spec.session == session:",
        "request.spec.host == host:",
        *_T,
    ),
    one(
        "what is exclusive needs real evidence",
        _EVIDENCE,
        "    if instance.spec.exclusive or not _is_lost(world, grant):",
        "    if not _is_lost(world, grant):",
        *_T,
    ),
    # --- the fencer -----------------------------------------------------------------------------------------------
    one(
        "off is exit 2 and the words",
        f"{FENCER}/reading.py",
        '    if exit_code == 2 and "Status: OFF" in output:',
        "    if exit_code == 2:",
        *_F,
    ),
    one(
        "off is read twice",
        _CORE,
        '    if len(reads) < 2 or reads[-2].power != "Off":\n        return "read off once',
        '    if len(reads) < 1:\n        return "read off once',
        *_F,
    ),
    one("the second read begins after the seal", _CORE, "    if not reads[-1].after_seal:", "    if False:", *_F),
    one(
        "the device's own gap lies between two reads",
        _CORE,
        "    if reads[-1].begun_s - reads[-2].ended_s < seconds(device.read_gap):",
        "    if False:",
        *_F,
    ),
    one(
        "every device of a level must be off",
        _CORE,
        "        if not gaps:\n",
        "        if len(gaps) < len(level.devices):\n",
        *_F,
    ),
    one(
        "a device that names another machine is not believed",
        _CORE,
        '    if identity == "Mismatch":',
        "    if False:",
        *_F,
    ),
    one(
        "a device that names no machine needs a drill",
        _CORE,
        '    if identity == "Unverified" and not device.drilled:',
        "    if False:",
        *_F,
    ),
    one(
        "boards that share one UUID are believed by nobody",
        _CORE,
        "    if shared_with:\n        return (",
        "    if False:\n        return (",
        *_F,
    ),
    one(
        "no off for a session that is not over",
        _CORE,
        '    if facts.want != "Off" or not facts.over:',
        '    if facts.want != "Off":',
        *_F,
    ),
    one(
        "no off that nobody wants",
        _CORE,
        '    if facts.want != "Off" or not facts.over:',
        "    if not facts.over:",
        *_F,
    ),
    one(
        "before each off the Lease is read again",
        _WORKER,
        "            is_sealed = lease.sealed and lease.holder == self._request.spec.session.text\n",
        "            is_sealed = True\n",
        *_F,
        f"{STORIES}/test_faults.py",
        f"{STORIES}/test_text.py",
        "sim:fencing",
    ),
    Mutant(
        "on only after the evidence is stored",
        (
            Edit(
                _CORE,
                "    if facts.proven:\n        return _next_on(facts)\n",
                "    if facts.tried:\n        return _next_on(facts)\n",
            ),
            Edit(
                _CORE,
                "    if facts.proven:\n        return tuple(",
                "    if facts.tried:\n        return tuple(",
            ),
            Edit(
                _WORKER,
                "is_wanted = is_over and self._may_be_on(request)",
                "is_wanted = self._may_be_on(request)",
            ),
        ),
        (*_F, "sim:fencing"),
    ),
    one(
        "a host that shall stay off stays off",
        _CORE,
        '    if facts.after != "On" or facts.powered_on:',
        "    if facts.powered_on:",
        *_F,
    ),
    one(
        "on only for what we have switched off",
        _CORE,
        'switched_off = {tried.slot for tried in facts.tried if tried.action == "off" and tried.ours}',
        'switched_off = {tried.slot for tried in facts.tried if tried.action == "off"}',
        *_F,
    ),
    one(
        "on is tried until the host is on",
        _CORE,
        "    return last.ended_s + min(ON_LAST_S, ON_FIRST_S * 2.0 ** min(30, len(tries) - 1))",
        "    return None",
        *_F,
    ),
    one(
        "a level that has failed makes room for the next",
        _CORE,
        "    fresh = [level for level in usable if not _has_failed(level, facts)]",
        "    fresh = usable",
        *_F,
    ),
    Mutant(
        "a read counts for one request, so for one session",
        (
            Edit(
                _WORKER,
                "from dataclasses import dataclass, replace",
                "from dataclasses import dataclass, field, replace",
            ),
            Edit(
                _WORKER,
                "    counters: Counters\n\n\nclass Worker:",
                "    counters: Counters\n    kept: dict[str, Any] = field(default_factory=dict)\n\n\nclass Worker:",
            ),
            Edit(
                _WORKER,
                "        self._reads: dict[Slot, tuple[Read, ...]] = {}",
                "        self._reads: dict[Slot, tuple[Read, ...]] = ports.kept.setdefault(request.spec.host, {})",
            ),
            Edit(
                _WORKER,
                "        self._read_of: dict[Slot, str] = {}",
                '        self._read_of: dict[Slot, str] = ports.kept.setdefault(f"{request.spec.host} devices", {})',
            ),
        ),
        (f"{UNIT}/fencer/test_stories.py", "sim:refencing"),
    ),
    one(
        "the exit of off proves nothing",
        _WORKER,
        '            result = f"exit {run.exit_code}: {run.output.strip()[-200:]}"\n',
        '            result = f"exit {run.exit_code}: {run.output.strip()[-200:]}"\n'
        '            if tried.action == "off" and run.exit_code == 0:\n'
        "                believed = [Read('Off', loop.time() + a, loop.time() + a, True, off_since_s=0.0) for a in (-2.0, 0.0)]\n"
        "                self._reads[tried.slot] = tuple(believed)\n",
        *_F,
        "sim:fencing",
    ),
    one(
        "a person may say that a host stays off, even after it was cut",
        _WORKER,
        '        return request.spec.after == "On" == host.spec.fencing.after and not host.is_hands_off',
        '        return request.spec.after == "On"',
        *_F,
    ),
    one(
        "what is sent stands in the request as ours before it is sent",
        _WORKER,
        "self._not_trusted(tried) or await self._not_recorded(record)",
        "self._not_trusted(tried)",
        f"{UNIT}/fencer/test_stories.py",
    ),
    one(
        "no argument of ipmitool shows the password",
        f"{FENCER}/identity.py",
        '["-f", password_file] if password_file else ["-P", ""]',
        '["-P", secret.get("password", "")]',
        f"{UNIT}/fencer/test_identity.py",
    ),
    one(
        "a session supersedes none of its own number",
        _EVIDENCE,
        "in session.supersedes and session.seq > grant.session.seq:",
        "in session.supersedes and session.seq >= grant.session.seq:",
        *_T,
    ),
)
