"""The policy is asked about an order once, until one of them changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from backstay_agent.policy.answers import Answers
from backstay_agent.policy.asking import InForce, NoPolicy
from backstay_api.objects.plain import RenderedPrerequisite, RenderedResource, StandbyOrder
from backstay_testing.agent_world import unit


@dataclass
class Refusing:
    """Refuses what a namespace `evil` brings; a fake."""

    asked: list[str] = field(default_factory=list)

    def refusal(self, namespace: str, resources: Iterable[RenderedResource | RenderedPrerequisite]) -> str:
        self.asked.append(f"{namespace} {','.join(one.name for one in resources)}")
        return "no" if namespace == "evil" else ""


class Policy(NoPolicy):
    """One in force at a time."""

    looks = 0

    def __init__(self) -> None:
        self.now = Refusing()

    @property
    def in_force(self) -> InForce:
        self.looks += 1
        return self.now

    def asked(self) -> list[str]:
        """Since the last question."""
        asked, self.now.asked = self.now.asked, []
        return asked


def order(namespace: str = "shop", name: str = "server") -> StandbyOrder:
    return StandbyOrder(namespace=namespace, name="web-0", resources=(unit(name=name),))


def test_of_what_is_as_before_nothing_is_asked_and_the_files_are_looked_at_once_a_round() -> None:
    policy = Policy()
    answers = Answers(policy)
    for _ in range(3):
        assert answers.refusals({"a": order(), "b": order("evil")}) == {"b": "no"}
    assert policy.asked() == ["shop server", "evil server"] and policy.looks == 3


def test_what_has_changed_is_asked_and_what_is_gone_is_forgotten() -> None:
    policy = Policy()
    answers = Answers(policy)
    answers.refusals({"a": order(), "b": order()})
    policy.asked()
    answers.refusals({"a": order(name="other")})
    assert policy.asked() == ["shop other"]
    assert answers.refusals({"a": order("evil", "other"), "b": order()}) == {"a": "no"}
    assert policy.asked() == ["evil other", "shop server"], "another namespace is another question"


def test_another_policy_is_asked_about_all() -> None:
    policy = Policy()
    answers = Answers(policy)
    answers.refusals({"a": order(), "b": order()})
    policy.now = Refusing()
    answers.refusals({"a": order(), "b": order()})
    assert policy.asked() == ["shop server"] * 2
