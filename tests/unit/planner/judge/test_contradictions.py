"""Rules between services that cannot hold at once are refused by name; what holds at once is not."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.models import HAService
from backstay_operator.planner.judge.acceptance import Accepted, Refused
from backstay_testing.acceptance import judged
from backstay_testing.builders import a_service, unit

LATER = "2026-02-02T00:00:00Z"


def ruled(name: str = "web", *, created: str = LATER, **placement: Any) -> HAService:
    return a_service(name, unit(name), created=created, placement=placement)


def must(service: str, **more: Any) -> dict[str, Any]:
    return {"service": service, "required": True, **more}


@pytest.mark.parametrize(
    ("service", "others", "message"),
    [
        pytest.param(
            ruled(apart=[must("web")]),
            (),
            "spec.placement.apart[0] names the service itself: name another",
            id="itself",
        ),
        pytest.param(
            ruled(together=[must("db")], apart=[must("db")]),
            (),
            "spec.placement.together[0] and spec.placement.apart[0] cannot both hold: the same services, together and apart;"
            " drop one of them",
            id="both in one manifest",
        ),
        pytest.param(
            ruled(together=[must("db", topologyKey="rack")], apart=[must("db")]), (), "", id="one rack, two hosts"
        ),
        pytest.param(
            ruled(together=[must("db")], apart=[must("db", topologyKey="rack")]),
            (),
            "spec.placement.together[0] and spec.placement.apart[0] cannot both hold: the same services, together and apart;"
            " drop one of them",
            id="one host, two racks",
        ),
        pytest.param(
            ruled(together=[{"service": "db", "weight": 5}], apart=[must("db")]),
            (),
            "",
            id="a wish contradicts nothing",
        ),
        pytest.param(
            ruled(together=[must("db")], apart=[{"services": {"matchLabels": {}}, "required": True}]),
            (ruled("db", created="2026-01-01T00:00:00Z"),),
            "spec.placement.together[0] contradicts spec.placement.apart[0]: shop/db cannot be together with it and apart;"
            " drop one of them",
            id="by name and by labels",
        ),
        pytest.param(
            ruled(together=[must("db")]),
            (ruled("db", created="2026-01-01T00:00:00Z", apart=[must("web")]),),
            "spec.placement.together[0] contradicts the HAService shop/db's spec.placement.apart[0]: shop/db cannot be together"
            " with it and apart; drop one of them",
            id="what an older one says",
        ),
        pytest.param(
            ruled(created="2025-01-01T00:00:00Z", together=[must("db")]),
            (ruled("db", apart=[must("web")]),),
            "",
            id="the older of two goes ahead",
        ),
        pytest.param(
            ruled(together=[must("db")]),
            (ruled("db", created="2026-01-01T00:00:00Z", together=[must("web")]),),
            "spec.placement.together makes a circle, in which each waits for the next: shop/web → shop/db → shop/web;"
            " say mutual: true in one of them",
            id="a circle of two",
        ),
        pytest.param(
            ruled(together=[must("a", mutual=True)]),
            (ruled("a", created="2026-01-01T00:00:00Z", together=[must("web")]),),
            "",
            id="no circle: one of them waits for nobody",
        ),
        pytest.param(
            ruled(together=[must("a")]),
            (
                ruled("a", created="2026-01-01T00:00:00Z", together=[must("b")]),
                ruled("b", created="2026-01-02T00:00:00Z", together=[must("web")]),
            ),
            "spec.placement.together makes a circle, in which each waits for the next: shop/web → shop/a → shop/b → shop/web;"
            " say mutual: true in one of them",
            id="a circle of three",
        ),
        pytest.param(
            ruled(created="2025-01-01T00:00:00Z", together=[must("a")]),
            (ruled("a", together=[must("web")]),),
            "",
            id="only the youngest of a circle is refused",
        ),
    ],
)
def test_what_contradicts_itself_or_an_older_service(
    service: HAService, others: tuple[HAService, ...], message: str
) -> None:
    assert judged(service, *others) == (Refused("ContradictoryRules", message) if message else Accepted())
