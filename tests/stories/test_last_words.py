"""A promoted copy ends while its data still grows: the numbers that were told before are not the last word, and for that nobody waits long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backstay_agent.standby.scores import EVERY_S, TELL_S, Told
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOST_ASSIGNMENTS
from backstay_api.objects.plain import StandbyReport
from backstay_operator.planner.judge.promotion import ANSWER_S
from backstay_testing.stage import Stage

ROLE, COMMAND = "web-promoted", "/position"
STEP_S = 0.001


class Growing(dict[str, int]):
    """As the command says it: something is written all the time, so that no two answers are the same."""

    def __init__(self, stage: Stage, begins_at: int) -> None:
        super().__init__({COMMAND: begins_at})
        self._stage = stage

    def __getitem__(self, name: str) -> int:
        return super().__getitem__(name) + int(self._stage.loop.time() / EVERY_S * 2)


def promoted_on_n1(*others: str, **writer: Any) -> Stage:
    """Whose data is the freshest; n2 is told to come next, and while n1 is written to, the others catch up."""
    stage = Stage("n1", *others)
    for host, begins_at in {"n1": 9000, "n2": 2000, "n3": 1000}.items():
        if host in stage.machines:
            stage.machines[host].state.scores = Growing(stage, begins_at)
    resources = [
        {"name": "main", "systemd": {"unit": "web.service"}},
        {"name": "writer", "role": "Promoted", "systemd": {"unit": "writer.service"}, **writer},
    ]
    promotion = {"scoreCommand": [COMMAND]}
    stage.apply_service("web", mode="Promotable", replicas=1 + len(others), promotion=promotion, resources=resources)
    stage.until(lambda: stage.copies(ROLE) == ["n1"])
    stage.until(lambda: all(said(stage, host).get("score") for host in others))
    return stage


def said(stage: Stage, host: str) -> dict[str, Any]:
    """What the host says of its copy, where it stands by for the promoted role."""
    uid = stage.must(HA_INSTANCES, ROLE)["metadata"]["uid"]
    found: dict[str, Any] = stage.must(HOST_ASSIGNMENTS, host)["status"].get("standbys", {}).get(uid, {})
    return found


def overtakes(stage: Stage) -> None:
    """What n3 has told is ten seconds old at most; now it has more than n2, and nobody was told yet."""
    before = said(stage, "n3")["score"]
    stage.until(lambda: said(stage, "n3")["score"] != before, limit_s=2 * TELL_S)
    stage.machines["n3"].state.scores[COMMAND] = 5000
    stage.wait(1.5 * EVERY_S)
    assert said(stage, "n3")["score"] < said(stage, "n2")["score"], "nobody was told"


def moment_s(stage: Stage, what: str) -> float:
    """When a line of the log came to be that has this in it, on the clock of the story."""
    for _ in range(int(60 / STEP_S)):
        if any(what in line for line in stage.log):
            return stage.loop.time()
        stage.wait(STEP_S)
    raise AssertionError(f"never {what}:\n" + "\n".join(stage.log))


@pytest.mark.parametrize("how", ["drain", "power"])
def test_the_copy_that_has_the_most_at_the_end_is_promoted_and_nobody_waits_long_for_that(how: str) -> None:
    stage = promoted_on_n1("n2", "n3")
    overtakes(stage)
    stage.log.clear()
    if how == "drain":
        stage.maintain("n1", "Drain")
    else:
        stage.power_off("n1")
    ended_s = moment_s(stage, "WriteInstance epoch 1 closed on " + ("Released" if how == "drain" else "Device"))
    waited_s = moment_s(stage, "WriteInstance epoch 2 to n3") - ended_s
    assert waited_s < 0.05, waited_s
    (why,) = [line for line in stage.log if "WriteInstance epoch 2" in line]
    assert "its data is the freshest (70" in why and said(stage, "n2")["scoreAfter"] == 1
    stage.until(lambda: stage.copies(ROLE) == ["n3"])


def test_while_it_is_waited_for_all_that_look_are_told() -> None:
    stage = promoted_on_n1("n2", "n3")
    stage.log.clear()
    stage.maintain("n1", "Drain")
    moment_s(stage, "closed on Released")
    (line,) = [one for one in stage.log if "closed on Released" in one]
    assert "2 are not chosen yet: waiting for n2, n3 to say how far their data goes after epoch 1 ended" in line
    told = [one for one in stage.log if "Assign n2" in one]
    assert "Assign n2: shop/web-promoted epoch 1 is over: how far its data goes is asked once more" in told


def test_an_operator_that_is_restarted_meanwhile_reads_what_was_asked_and_answered() -> None:
    stage = promoted_on_n1("n2", "n3")
    overtakes(stage)
    stage.log.clear()
    stage.maintain("n1", "Drain")
    moment_s(stage, "closed on Released")
    stage.restart_operator()
    stage.until(lambda: stage.copies(ROLE) == ["n3"])


def test_an_agent_that_is_restarted_meanwhile_answers_again() -> None:
    stage = promoted_on_n1("n2", "n3")
    overtakes(stage)
    stage.log.clear()
    stage.maintain("n1", "Drain")
    moment_s(stage, "closed on Released")
    stage.do(lambda: stage.real.kill("agent-n3"))
    stage.until(lambda: stage.copies(ROLE) == ["n3"])


def test_where_one_copy_alone_could_be_promoted_nothing_is_waited_for() -> None:
    stage = promoted_on_n1("n2")
    stage.log.clear()
    stage.maintain("n1", "Drain")
    stage.until(lambda: stage.copies(ROLE) == ["n2"])
    assert any("WriteInstance epoch 2 to n2 on Released" in line for line in stage.log), "in one write with the proof"


def test_a_command_that_hangs_on_one_host_keeps_nobody_from_being_promoted_for_long() -> None:
    """What was asked before the end has ten seconds, and so has what is asked after it; and a start of 12 s is waited for no longer."""
    stage = promoted_on_n1("n2", "n3", timeouts={"start": "12s"})
    overtakes(stage)
    stage.machines["n3"].state.scores_take_s = 1000.0
    stage.wait(2 * EVERY_S)
    stage.log.clear()
    stage.maintain("n1", "Drain")
    ended_s = moment_s(stage, "WriteInstance epoch 1 closed on Released")
    waited_s = moment_s(stage, "WriteInstance epoch 2 to n2") - ended_s
    assert ANSWER_S - 0.1 < waited_s < ANSWER_S + 0.5, waited_s
    stage.until(lambda: stage.copies(ROLE) == ["n2"])


def test_agents_of_an_earlier_release_are_waited_for_by_nobody_and_the_older_number_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def as_before(report: StandbyReport, told: Told | None) -> StandbyReport:
        return replace(report, score=told.score.value, score_why=told.score.why) if told else report

    monkeypatch.setattr("backstay_agent.standby.scores._with", as_before)
    stage = promoted_on_n1("n2", "n3")
    overtakes(stage)
    stage.log.clear()
    stage.maintain("n1", "Drain")
    stage.until(lambda: stage.copies(ROLE) == ["n2"])
    assert any("WriteInstance epoch 2 to n2 on Released" in line for line in stage.log)


def test_an_edit_meanwhile_wedges_nothing() -> None:
    stage = promoted_on_n1("n2", "n3")
    overtakes(stage)
    stage.log.clear()
    stage.maintain("n1", "Drain")
    moment_s(stage, "closed on Released")
    edited = {**stage.must(HA_SERVICES, "web")["spec"], "promotion": {"scoreCommand": [COMMAND, "--new"]}}
    for host in stage.machines:
        stage.machines[host].state.scores[f"{COMMAND} --new"] = 7
    stage.apply_service("web", **edited)
    stage.until(lambda: stage.copies(ROLE) in (["n2"], ["n3"]))
