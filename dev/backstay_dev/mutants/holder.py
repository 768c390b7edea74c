"""Mutants of the agent that holds a session: journal, heartbeat, orders, attempts (PROTOCOL 3 and 7)."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, UNIT, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a session that is published is not published again",
        f"{AGENT}/core/sessions.py",
        "    if stored is not None and is_same(stored, checkpoint.session):\n",
        "    if False:\n",
        f"{UNIT}/agent/core/test_sessions.py",
    ),
    one(
        "supersedes are of this boot",
        f"{AGENT}/core/sessions.py",
        "if stored and stored.boot_id == checkpoint.boot_id else ()",
        "if stored else ()",
        f"{UNIT}/agent/core/test_sessions.py",
    ),
    one(
        "what orders name is superseded",
        f"{AGENT}/core/sessions.py",
        "(*checkpoint.earlier, *theirs, *named)",
        "(*checkpoint.earlier, *theirs)",
        f"{UNIT}/agent/core/test_sessions.py",
    ),
    one(
        "no session supersedes one that is not older",
        f"{AGENT}/core/sessions.py",
        "if session.boot_id == checkpoint.boot_id and session.seq < seq)",
        "if session.boot_id == checkpoint.boot_id)",
        f"{UNIT}/agent/core/test_sessions.py",
    ),
    one(
        "a lease of a newer session is not taken",
        f"{AGENT}/core/sessions.py",
        ("    return Hold.TAKE if lease.seq < mine.seq else Hold.LOST\n\n\ndef why"),
        ("    return Hold.TAKE\n\n\ndef why"),
        f"{UNIT}/agent/core/test_sessions.py",
    ),
    one(
        "after a conflict the Lease is read again",
        f"{AGENT}/cluster/heartbeat.py",
        ("            except Conflict:\n                self._known = None\n"),
        "            except Conflict:\n",
        f"{UNIT}/agent/test_trouble.py",
    ),
    one(
        "a write that may have been carried out is read again",
        f"{AGENT}/cluster/heartbeat.py",
        ("        if not isinstance(error, Unreachable):\n            self._known = None\n"),
        "",
        f"{UNIT}/agent/test_trouble.py",
    ),
    one(
        "the pace is the faster of wish and contract",
        f"{AGENT}/cluster/heartbeat.py",
        "        faster = min(self._wanted, self._obeyed,",
        "        faster = max(self._wanted, self._obeyed,",
        f"{UNIT}/agent/test_trouble.py",
    ),
    one(
        "the heartbeat begins before anything heavy",
        f"{AGENT}/agent.py",
        (
            "                self.heartbeat.hold(self.journal.checkpoint.session)\n"
            "            tasks.create_task(self.heartbeat.run()"
        ),
        ("                pass\n            tasks.create_task(self.heartbeat.run()"),
        f"{UNIT}/agent/test_restarted.py",
    ),
    one(
        "what no record knows is stopped",
        f"{AGENT}/agent.py",
        "if found.kept is JournalState.INTACT else None",
        "if found.kept is JournalState.BROKEN else None",
        f"{UNIT}/agent/test_restarted.py",
    ),
    one(
        "what no record knows is stopped before the next session",
        f"{AGENT}/agent.py",
        "                await stopping  #",
        "                pass  #",
        f"{UNIT}/agent/test_restarted.py",
    ),
    one(
        "the last words are waited for",
        f"{AGENT}/agent.py",
        "                await self.link.until_stored(_is_all_released)",
        "                pass",
        f"{UNIT}/agent/test_leaves.py",
    ),
    one(
        "hands off is obeyed before any order",
        f"{AGENT}/run/supervisor.py",
        "                await self._obey_hands_off()\n",
        "",
        f"{UNIT}/agent/test_people.py",
    ),
    one(
        "what was found is stopped verifiably",
        f"{AGENT}/run/supervisor.py",
        "            left = [group for group in left if not await self._stopped(group)]",
        "            left = [group for group in left if not await self._stopped(group)][:0]",
        f"{UNIT}/agent/test_restarted.py",
    ),
    one(
        "a machine that goes down waits until everything is stopped",
        f"{AGENT}/run/supervisor.py",
        "        while (left := self._open_ones()) and not self._journal.checkpoint.hands_off:",
        "        while False and (left := self._open_ones()):",
        f"{UNIT}/agent/test_leaves.py",
    ),
    one(
        "hands off: the gate is opened only for what was granted",
        f"{AGENT}/run/runner.py",
        (
            "        elif refused := self.promotion.may_start(record, self._tools.journal.checkpoint):\n"
            "            raise MayNot(refused.why)\n"
        ),
        "",
        f"{UNIT}/agent/test_people.py",
    ),
    one(
        "an epoch is not over while it may run",
        f"{AGENT}/run/runner.py",
        "                await self._amend(lambda now: now if now.may_run or now.epoch != epoch else now.over())",
        "                await self._amend(lambda now: now if now.may_run else now.over())",
        f"{UNIT}/agent/test_stories.py",
    ),
    one(
        "a stop by an admin counts for nothing",
        f"{AGENT}/run/attempts.py",
        "        return self.was_left or bool(bad and bad <= self._monitor.by_admin.keys()) or self._is_blink(record)",
        "        return self.was_left or self._is_blink(record)",
        f"{UNIT}/agent/test_people.py",
    ),
    one(
        "what is started when hands are on again counts for nothing",
        f"{AGENT}/run/attempts.py",
        "        return self.was_left or bool(",
        "        return bool(",
        f"{UNIT}/agent/test_people.py",
    ),
    one(
        "restarts come ever more rarely",
        f"{AGENT}/core/patience.py",
        "    return max(counted) + by.pause_s(len(counted))",
        "    return 0.0",
        f"{UNIT}/agent/core/test_patience.py",
    ),
    one(
        "a first start that fails is not tried again here",
        f"{AGENT}/core/patience.py",
        "    return bool(restarted_at_s) and may_restart",
        "    return may_restart",
        f"{UNIT}/agent/core/test_patience.py",
    ),
    one(
        "an entry that is not understood is answered",
        f"{AGENT}/core/orders.py",
        "        not_understood={uid: entry for uid, entry in read.items() if isinstance(entry, NotUnderstood)},\n",
        "",
        f"{UNIT}/agent/test_understanding.py",
    ),
    one(
        "an odd word beside its frame keeps no order from being answered",
        f"{AGENT}/core/orders.py",
        "for name, value in frame.items() if name in _REQUIRED}",
        "for name, value in frame.items()}",
        f"{UNIT}/agent/test_understanding.py",
    ),
    one(
        "a failure is told of its own epoch",
        f"{AGENT}/core/reports.py",
        "return view.epoch == record.epoch and bool(view.gave_up)",
        "return bool(view.gave_up)",
        f"{UNIT}/agent/core/test_reports.py",
    ),
    one(
        "a Down that is not understood is obeyed",
        f"{AGENT}/core/orders.py",
        ('    if order.want == "Down":\n        return order  #'),
        ("    if False:\n        return order  #"),
        f"{UNIT}/agent/test_understanding.py",
    ),
    one(
        "a reason for hands off that cannot be read keeps hands off",
        f"{AGENT}/core/orders.py",
        'else "for a reason that cannot be read"',
        'else ""',
        f"{UNIT}/agent/test_understanding.py",
    ),
    one(
        "what later releases add is not guessed",
        f"{AGENT}/core/orders.py",
        "    return NotUnderstood(order, why) if why else replace(order, resources=resources)",
        "    return replace(order, resources=resources)",
        f"{UNIT}/agent/test_understanding.py",
    ),
    one(
        "hands off: what an admin may start is journalled first",
        f"{AGENT}/run/runner.py",
        (
            "            await self._amend(lambda now: now.begun(resources, revision, clock_s()), may_start=True)\n"
            "            await self._monitor.end(but"
        ),
        "            await self._monitor.end(but",
        f"{UNIT}/agent/test_people.py",
    ),
    one(
        "the inventory names the sessions of the boot",
        f"{AGENT}/store/journal.py",
        '"nonces": list(sessions.nonces), "seq": sessions.seq}',
        '"nonces": [], "seq": 0}',
        f"{UNIT}/agent/test_waits.py",
    ),
    one(
        "a blink of the link counts for nothing",
        f"{AGENT}/run/attempts.py",
        "<= self._monitor.by_admin.keys()) or self._is_blink(record)",
        "<= self._monitor.by_admin.keys())",
        f"{UNIT}/agent/test_waits.py",
    ),
    one(
        "a Lease of another session of one's own number is not taken",
        f"{AGENT}/core/sessions.py",
        "return Hold.TAKE if lease.seq < mine.seq",
        "return Hold.TAKE if lease.seq <= mine.seq",
        f"{UNIT}/agent/core/test_sessions.py",
    ),
    one(
        "an order to another session does not even take hands off",
        f"{AGENT}/core/rules.py",
        "or record.epoch != order.epoch or order.session != checkpoint.session:",
        "or record.epoch != order.epoch:",
        f"{UNIT}/agent/core/test_rules.py",
    ),
)
