"""What a command will need is asked for before its first write: a refused right leaves nothing half done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backstay_api.client.api import Api
from backstay_api.client.errors import Forbidden, Invalid, NotFound
from backstay_api.objects.kinds import Kind, raw
from backstay_api.objects.rbac import Rule

_REVIEWS: Final = raw(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)


@dataclass(frozen=True)
class Right:
    """One thing somebody may do, as RBAC says it."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    """Empty: in the whole cluster."""
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        full = f"{what}.{self.group}" if self.group else what
        return f"{self.verb} {full} {f'in namespace {self.namespace}' if self.namespace else 'in the whole cluster'}"

    def attributes(self) -> dict[str, str]:
        """As the API server is asked."""
        return {name: value for name, value in vars(self).items() if value}


def rights_to(verbs: str, kind: Kind[Any], namespace: str = "", name: str = "") -> list[Right]:
    """Rights on objects of one kind; `verbs` with spaces between."""
    return [Right(verb, kind.group, kind.plural, namespace, name) for verb in verbs.split()]


def of_rules(rules: Iterable[Rule], namespace: str = "") -> list[Right]:
    """Everything that the rules of a role give."""
    return [
        Right(verb, group, resource.partition("/")[0], namespace, name, resource.partition("/")[2])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    ]


async def refused(api: Api, wanted: Sequence[Right]) -> list[Right]:
    """Which of these the API server would not allow us."""
    answers = await asyncio.gather(*(_may(api, right) for right in wanted))
    return [right for right, may in zip(wanted, answers, strict=True) if not may]


async def _may(api: Api, right: Right) -> bool:
    try:
        review = await api.create(_REVIEWS, {"spec": {"resourceAttributes": right.attributes()}})
        return bool(review["status"]["allowed"])
    except (Forbidden, Invalid, NotFound, KeyError):
        return True  # nobody can say: the write itself will tell
