"""Mutants of `dependsOn` (what waits, what stops first, what is started again), and of what is said of places that nobody has taken yet."""

from __future__ import annotations

from typing import Final

from .kinds import PLANNER, STORIES, UNIT, Mutant, one

_TABLE: Final = f"{UNIT}/planner/do/test_dependencies.py"
_STORIES: Final = "tests/stories/test_text.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "what requires another starts only when that is Ready",
        f"{PLANNER}/do/dependencies.py",
        "stop is None and one_works(round_.world, other, dependency)\n",
        "stop is None\n",
        _TABLE,
    ),
    one(
        "Ready is more than running",
        f"{PLANNER}/judge/dependencies.py",
        "bool(report and report.healthy and stored",
        "bool(report and stored",
        _TABLE,
    ),
    one(
        "what is decided about is preceded by what it depends on",
        f"{PLANNER}/do/rounds.py",
        "after_what_they_depend_on(world, keys) if world.depending else keys",
        "keys",
        _TABLE,
    ),
    one(
        "a stop waits for what requires it",
        f"{PLANNER}/do/dependencies.py",
        "    if not first:\n",
        "    if True:\n",
        _TABLE,
    ),
    one(
        "a stop waits for nobody whose host is lost",
        f"{PLANNER}/judge/dependencies.py",
        "    return of_host(world, grant.host) in (Liveness.LIVE, Liveness.SUSPECT, Liveness.UNSURE)\n",
        "    return True\n",
        _TABLE,
    ),
    one(
        "a stop waits for nobody who cannot stop",
        f"{PLANNER}/judge/dependencies.py",
        ' or report.phase == "Stuck")\n',
        ")\n",
        _TABLE,
    ),
    one(
        "what requires another stops with it",
        f"{PLANNER}/do/dependencies.py",
        "        if stop and (restarts or not stop.is_move):\n",
        "        if stop and restarts:\n",
        _TABLE,
    ),
    one(
        "onChange None runs on while the other moves",
        f"{PLANNER}/do/dependencies.py",
        "        if stop and (restarts or not stop.is_move):\n",
        "        if stop:\n",
        _TABLE,
    ),
    one(
        "what requires another is started again after its failover",
        f"{PLANNER}/do/dependencies.py",
        "        if restarts and (host := went_over_to",
        "        if False and (host := went_over_to",
        _TABLE,
    ),
    one(
        "of several copies only the last waits",
        f"{PLANNER}/do/dependencies.py",
        "not in (instance.uid, *round_.let_go))\n",
        "not in (instance.uid,))\n",
        _TABLE,
    ),
    one(
        "a cycle is refused",
        f"{PLANNER}/judge/acceptance.py",
        "    if way is None:\n",
        "    if True:\n",
        _STORIES,
    ),
    one(
        "what runs and comes to require another notes what that is",
        f"{PLANNER}/do/dependencies.py",
        "    if now == known or not runs(world, instance):\n",
        "    if True:\n",
        _STORIES,
    ),
    one(
        "no move leaves what requires it without a host",
        f"{PLANNER}/do/dependencies.py",
        "        if isinstance(placed, NoHost):\n",
        "        if False:\n",
        _STORIES,
    ),
    one(
        "what comes after another waits while that starts",
        f"{PLANNER}/do/decisions.py",
        "        return starts(round_.world, instance)\n",
        "        return False\n",
        _TABLE,
    ),
    one(
        "who stands by has room for what it may have to take over",
        f"{PLANNER}/judge/scores.py",
        "    (has_what_it_needs, {Point.STANDBY}),\n",
        "",
        "tests/property/test_room_for_all.py",
    ),
    one(
        "a plan that never comes to rest is told as that",
        f"{PLANNER}/whatif.py",
        "one.spec.epoch >= epochs.get(key, 0) + MOST_STARTS)",
        "False)",
        f"{UNIT}/cli/test_plan.py",
    ),
    one(
        "what was started anew time and again is left where it is by rules between services",
        f"{PLANNER}/do/moves.py",
        "    if leave.is_between_services and (rest := ",
        "    if False and (rest := ",
        "tests/property/test_comes_to_rest.py",
    ),
    one(
        "what was started anew time and again is left where it is by preferences",
        f"{PLANNER}/do/moves.py",
        "    if better is not None and (rest := ",
        "    if False and (rest := ",
        "tests/property/test_comes_to_rest.py",
    ),
    one(
        "only rules between services leave it where it is",
        f"{PLANNER}/do/moves.py",
        "    if leave.is_between_services and (rest := ",
        "    if (rest := ",
        f"{UNIT}/planner/do/test_restless.py",
    ),
    one(
        "what was started anew is forgotten after an hour",
        f"{PLANNER}/judge/restless.py",
        "    is_new = _ago_s(world, grant) < PERIOD_S",
        "    is_new = True",
        f"{UNIT}/planner/do/test_restless.py",
    ),
    one(
        "a clear lets it go on",
        f"{PLANNER}/judge/restless.py",
        "    return is_new and not is_forgotten(",
        "    return is_new or not is_forgotten(",
        f"{UNIT}/planner/do/test_restless.py",
    ),
    one(
        "what a host is supposed to be rid of brings no other before it",
        f"{PLANNER}/tell/counterfactual.py",
        "rules = {_SCORE_OF.get(one.rule, one.rule) for one in against}",
        "rules = {one.rule for one in against}",
        f"{UNIT}/cli/test_explain.py",
    ),
    one(
        "a rule about the promoted copy is about no other",
        f"{PLANNER}/judge/affinity.py",
        "if one.is_promoted or not promoted_alone]",
        "]",
        f"{STORIES}/test_questions.py",
    ),
    one(
        "who minds the promoted copy minds no other",
        f"{PLANNER}/judge/affinity.py",
        ' and (not rule.is_promoted or role_of(service) == "Promoted")',
        "",
        f"{STORIES}/test_questions.py",
    ),
    one(
        "who is apart from the promoted copy may be together with another",
        f"{PLANNER}/judge/contradictions.py",
        "    if apart.is_promoted and not (of_one and together.is_promoted):\n        return False\n",
        "",
        f"{STORIES}/test_questions.py",
    ),
    one(
        "who requires the promoted copy waits for that",
        f"{PLANNER}/judge/dependencies.py",
        "if one.is_promoted or not dependency.is_promoted]",
        "]",
        f"{STORIES}/test_questions.py",
    ),
    one(
        "who requires the promoted copy stops before it is demoted",
        f"{PLANNER}/do/dependencies.py",
        "    if others_run and not instance.is_promoted:\n        round_.let_go",
        "    if others_run:\n        round_.let_go",
        _TABLE,
    ),
    one(
        "who requires any copy runs on while another is demoted",
        f"{PLANNER}/judge/dependencies.py",
        "        if dependency.is_promoted or not promoted_alone\n",
        "",
        _TABLE,
    ),
)
