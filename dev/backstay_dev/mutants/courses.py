"""Mutants of the life of an instance: granted, held, moved, stopped, closed (PROTOCOL 6). Tables of cases find them."""

from __future__ import annotations

from typing import Final

from .kinds import PLANNER, UNIT, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "an edit's new unit is asked for first",
        f"{PLANNER}/do/instances.py",
        "        and edits.news(world, service, instance)\n",
        "        and False\n",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "an edit is recorded before it is ordered",
        f"{PLANNER}/do/instances.py",
        "    if is_news and (records := record(world, service, instance, instance.spec.epoch, host)):",
        "    if is_news and (records := None):",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a grant records the claims",
        f"{PLANNER}/do/instances.py",
        "    records = record(world, service, instance, instance.spec.epoch + 1, placed.host)\n",
        "    records = list[WriteClaim]()\n",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "nothing is granted while a host runs a later epoch",
        f"{PLANNER}/do/instances.py",
        "    return first_epoch.ahead(world, service, instance)",
        "    return None",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a deleted instance in HandsOff waits",
        f"{PLANNER}/do/instances.py",
        (
            '    if hands_off and (stored is None or stored.want == "Up"):\n'
            '        return Course(order=stored, missing=f"{why}, but'
        ),
        ('    if False:\n        return Course(order=stored, missing=f"{why}, but'),
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a refused manifest stops nothing",
        f"{PLANNER}/do/instances.py",
        ("    if isinstance(acceptance, Refused):\n        # What was granted"),
        ("    if False:\n        # What was granted"),
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a service goes where a person wishes it",
        f"{PLANNER}/do/instances.py",
        ("moves.wished_host(service), held_by_nobody(instance)\n    if wish"),
        ("None, held_by_nobody(instance)\n    if wish"),
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "what was ordered Down stays Down",
        f"{PLANNER}/do/instances.py",
        (
            '    if stored is not None and stored.want == "Down":\n'
            "        return Course(order=stored, missing=missing, to"
        ),
        ("    if False:\n        return Course(order=stored, missing=missing, to"),
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a service that shall be stopped is not granted",
        f"{PLANNER}/do/instances.py",
        ('    if service.spec.state != "Running":\n        return Nowhere'),
        ("    if False:\n        return Nowhere"),
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a wish to move is for the manifest that it was made for",
        f"{PLANNER}/do/moves.py",
        "    if wish.generation is not None and wish.generation != service.metadata.generation:",
        "    if False:",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "a move that is under way is carried to its end though its wish has run out",
        f"{PLANNER}/do/moves.py",
        ('    if _is_under_way(world, instance):\n        return ""\n'),
        "",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "only an order to stop means that a move is under way",
        f"{PLANNER}/do/moves.py",
        'entry is not None and entry.want == "Down"',
        "entry is not None",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "a session that is over is not moved away from",
        f"{PLANNER}/do/moves.py",
        "    if session is None or session.ref != grant.session:",
        "    if session is None:",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "what a person wants comes before a drain",
        f"{PLANNER}/do/moves.py",
        "(_asked_to, _must, _failed, _better)",
        "(_must, _asked_to, _failed, _better)",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "a wish and a drain come before a failure",
        f"{PLANNER}/do/moves.py",
        "(_asked_to, _must, _failed, _better)",
        "(_failed, _asked_to, _must, _better)",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "a better host comes last of all reasons to move",
        f"{PLANNER}/do/moves.py",
        "(_asked_to, _must, _failed, _better)",
        "(_better, _asked_to, _must, _failed)",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "a Host that cannot be read is not left",
        f"{PLANNER}/do/moves.py",
        " or round_.world.cannot_read(Host, holder):",
        ":",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "a failure of an earlier manifest moves nothing",
        f"{PLANNER}/do/moves.py",
        ("    if report.revision != (service.metadata.generation or 0):\n        return None"),
        ("    if False:\n        return None"),
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "what has used up its moves fails over no more",
        f"{PLANNER}/judge/move_budget.py",
        "if budget is None or len(counted(world, service)) < budget.limit:",
        "if True:",
        f"{UNIT}/planner/judge/test_judges.py",
    ),
    one(
        "where no other host will do, a failed start is tried again in time",
        f"{PLANNER}/do/moves.py",
        "    if isinstance(again, Placed):",
        "    if False:",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "what is told to move counts as on its way",
        f"{PLANNER}/do/moves.py",
        "    round_.send(instance, found.host)\n",
        "",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "a target is looked at once more with all that a grant needs",
        f"{PLANNER}/do/moves.py",
        "    obstacle = cannot_take(round_.world, service, instance, found.host)",
        "    obstacle = None",
        f"{UNIT}/planner/do/test_moves.py",
    ),
    one(
        "what is stopped for good is not told to move",
        f"{PLANNER}/do/instances.py",
        (' or service.spec.state != "Running":\n        return ""'),
        (':\n        return ""'),
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "where it goes is told only while that host will do",
        f"{PLANNER}/do/instances.py",
        '    return stored.to if isinstance(placed, Placed) else ""',
        "    return stored.to",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a wish that cannot be granted keeps nothing from running",
        f"{PLANNER}/do/instances.py",
        ("        if isinstance(placed, Placed):\n            return placed\n    stopped"),
        ("        return placed\n    stopped"),
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a holder that is merely late is not told as lost",
        f"{PLANNER}/do/instances.py",
        " or _is_merely_late(world, grant)\n",
        "\n",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a holder that could not stop it is told",
        f"{PLANNER}/do/instances.py",
        "    if is_here and not is_stuck:",
        "    if is_here:",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "that it was stuck in an earlier epoch is no news",
        f"{PLANNER}/know/sessions.py",
        "    return report if report is not None and report.epoch == instance.spec.epoch else None",
        "    return report",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "an edit that brings no unit waits for nobody",
        f"{PLANNER}/do/instances.py",
        "        and edits.news(world, service, instance)\n",
        "",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "what the guard holds against a fence is told with what proof is missing",
        f"{PLANNER}/do/instances.py",
        "(proof, guards_refusal(world, round_.guard, grant.host))",
        "(proof,)",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "it goes where people were told that it goes",
        f"{PLANNER}/do/instances.py",
        '    announced = stopped.to if stopped is not None else ""',
        '    announced = ""',
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "what is being stopped goes on being stopped in HandsOff",
        f"{PLANNER}/do/instances.py",
        '    if hands_off and (stored is None or stored.want == "Up"):',
        "    if hands_off:",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a refused manifest is not granted",
        f"{PLANNER}/do/instances.py",
        ("    if isinstance(acceptance, Refused):\n        return Nowhere(acceptance.message)\n"),
        "",
        f"{UNIT}/planner/do/test_instances.py",
    ),
    one(
        "a grant and the evidence for it are written together",
        f"{PLANNER}/do/instances.py",
        "_granted(instance, chosen.grant, found), why",
        "_granted(instance, chosen.grant, None), why",
        f"{UNIT}/planner/do/test_instances.py",
    ),
)
