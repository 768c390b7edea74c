"""Mutants of the agent's core, journal and sessions (PROTOCOL 3 and 7)."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, API, UNIT, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "what runs and carried over stops when its own session is told so",
        f"{AGENT}/core/rules.py",
        '    if record and carried and order.epoch == record.epoch and order.want == "Down" and record.want == "Up":',
        "    if False:",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "an order before the session is published means nothing",
        f"{AGENT}/core/rules.py",
        ("    if books.seq == 0 or order.session != books.session:\n        return _foreign"),
        ("    if order.session != books.session:\n        return _foreign"),
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "an epoch never started is over when ordered down",
        f"{AGENT}/core/rules.py",
        '    return record.over() if order.want == "Down" else record  #',
        "    return record  #",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "a newer epoch keeps in mind what runs",
        f"{AGENT}/core/rules.py",
        ("    if not record.may_run:\n        return fresh\n"),
        ("    if True:\n        return fresh\n"),
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "an older epoch is not heard",
        f"{AGENT}/core/rules.py",
        "    if order.epoch < record.epoch or record.nonce != books.nonce:",
        "    if record.nonce != books.nonce:",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "a carried copy is heard under its own session only",
        f"{AGENT}/core/rules.py",
        "    if order.epoch < record.epoch or record.nonce != books.nonce:",
        "    if order.epoch < record.epoch:",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "an older revision changes nothing",
        f"{AGENT}/core/rules.py",
        "    if order.revision <= record.revision:",
        "    if False:",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "nothing starts before the session is published",
        f"{AGENT}/core/rules.py",
        ("    if books.seq == 0:\n        return Refused(\"this host's"),
        ("    if False:\n        return Refused(\"this host's"),
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "a closed epoch is not started",
        f"{AGENT}/core/rules.py",
        ('    if record.closed:\n        return Refused(f"epoch'),
        ('    if False:\n        return Refused(f"epoch'),
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "an address has one name on the host",
        f"{API}/objects/resource_kinds.py",
        "    return str(mapped or address)",
        '    return cidr.partition("/")[0]',
        f"{UNIT}/agent/test_single_instance.py",
    ),
    one(
        "a seal stops what is exclusive",
        f"{AGENT}/core/rules.py",
        ("    if books.seal_seen and record.exclusive:\n        return True\n"),
        "",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "a seal stops only what is exclusive",
        f"{AGENT}/core/rules.py",
        "    if books.seal_seen and record.exclusive:",
        "    if books.seal_seen:",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "hands off: a wish to stop waits",
        f"{AGENT}/core/rules.py",
        ("    if books.hands_off and record.may_run:\n        return False\n"),
        "",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "hands off: a shutdown releases nothing",
        f"{AGENT}/core/rules.py",
        "(bool(leaving) and not books.hands_off)",
        "bool(leaving)",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "a clean shutdown stops everything",
        f"{AGENT}/core/rules.py",
        '    return record.want == "Down" or (bool(leaving) and not books.hands_off)',
        '    return record.want == "Down"',
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "hands off: what is stopped is not started",
        f"{AGENT}/core/rules.py",
        (
            "    if now.must_stop:\n"
            "        return Event.WANT_DOWN\n"
            "    if now.hands_off:\n"
            "        return Event.HANDS_OFF if now.may_start else None\n"
            "    if now.gave_up:"
        ),
        ("    if now.must_stop:\n        return Event.WANT_DOWN\n    if now.gave_up:"),
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "hands off: what runs is left",
        f"{AGENT}/core/rules.py",
        ("    if now.hands_off:\n        return Event.HANDS_OFF\n    if now.edited:"),
        "    if now.edited:",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "hands off ends",
        f"{AGENT}/core/rules.py",
        "    return None if now.hands_off else Event.HANDS_ON",
        "    return None",
        f"{UNIT}/agent/test_people.py",
    ),
    one(
        "what is stuck is tried again",
        f"{AGENT}/core/rules.py",
        "    return Event.RETRY if now.retry_due else None",
        "    return None",
        f"{UNIT}/agent/test_leaves.py",
    ),
    one(
        "what failed is not tried again in its epoch",
        f"{AGENT}/core/rules.py",
        "    return Event.EDITED if now.edited or not now.gave_up else None",
        "    return Event.EDITED",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "restarts in place are limited",
        f"{AGENT}/core/rules.py",
        "    if not (now.may_start and now.may_restart):",
        "    if not now.may_start:",
        f"{UNIT}/agent/test_waits.py",
    ),
    one(
        "half started is not stopped",
        f"{AGENT}/core/machine.py",
        "    (_P.STARTING, _E.FAILED): (_P.STOPPING, _F.STOP),",
        "    (_P.STARTING, _E.FAILED): (_P.STOPPED, None),",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "what could not be stopped is stuck",
        f"{AGENT}/core/machine.py",
        "    (_P.STOPPING, _E.FAILED): (_P.STUCK, None),",
        "    (_P.STOPPING, _E.FAILED): (_P.STOPPED, None),",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "a session carries its copies over",
        f"{AGENT}/core/books.py",
        "        carried = {uid: record for uid, record in self.records.items() if record.may_run}",
        "        carried = dict[str, Record]()",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "a new session remembers those before it",
        f"{AGENT}/core/books.py",
        "            earlier=self.nonces,\n",
        "",
        f"{UNIT}/agent/test_waits.py",
    ),
    one(
        "a new session remembers the highest seq",
        f"{AGENT}/core/books.py",
        "            earlier_seq=self.highest_seq,\n",
        "",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "a new session keeps hands off",
        f"{AGENT}/core/books.py",
        ("            hands_off=self.hands_off,\n            records=carried"),
        "            records=carried",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "only an end is written from the reserve",
        f"{AGENT}/core/books.py",
        "        after.may_run <= before.may_run\n",
        "        True\n",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "an end may use the reserve",
        f"{AGENT}/store/journal.py",
        "from_reserve=is_end)",
        "from_reserve=False)",
        f"{UNIT}/agent/test_stories.py",
    ),
    one(
        "a restriction counts though it cannot be written",
        f"{AGENT}/store/journal.py",
        ("            self._books = how(self.books)\n            try:\n                await self._write(self._books)"),
        ("            books = how(self.books)\n            try:\n                await self._write(books)"),
        f"{UNIT}/agent/test_keeping.py",
    ),
    one(
        "the journal is of this boot",
        f"{AGENT}/store/journal.py",
        ('        if books.boot_id != self._boot_id:\n            return Kept.OTHER_BOOT, ""\n        self._books'),
        "        self._books",
        f"{UNIT}/agent/test_keeping.py",
    ),
    one(
        "the inventory is of this boot",
        f"{AGENT}/store/journal.py",
        ('        if boot_id != self._boot_id:\n            return Inventory.OTHER_BOOT, ""\n'),
        "",
        f"{UNIT}/agent/test_keeping.py",
    ),
)
