"""What an agent does while its host's identity is made anew, killed at any step: there is always a token that is good."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.cluster import rotation
from backstay_agent.cluster.tokens import _renewed, read_token
from backstay_api.client.errors import Forbidden
from backstay_api.memory.server import MemoryApi, MemoryCluster
from backstay_api.objects.join_tokens import RENEWED, TAKEN
from backstay_api.objects.kinds import SECRETS, Raw
from backstay_dev.simulator.virtualtime import in_virtual_time

HOSTS = "backstay-hosts"
OWN, NEXT = "backstay-host-n1", "backstay-next-n1"
DAY_S = 86_400


def a_token(bound: str, life_s: int) -> str:
    claims = {"sub": f"system:serviceaccount:{HOSTS}:{OWN}", "iat": 0, "exp": life_s}
    body = json.dumps({**claims, "kubernetes.io": {"secret": {"name": bound, "uid": "u"}}})
    return f"h.{base64.urlsafe_b64encode(body.encode()).decode().rstrip('=')}.s"


class Issuer(MemoryApi):
    """An API server that issues tokens, as a fake; and that may refuse to show Secrets."""

    is_refusing = False

    async def create(self, kind: Any, obj: Any, namespace: str = "", *, timeout_s: float | None = None) -> Any:
        if not kind.plural.endswith("/token"):
            return await super().create(kind, obj, namespace, timeout_s=timeout_s)
        spec = obj["spec"]
        return {"status": {"token": a_token(spec["boundObjectRef"]["name"], spec["expirationSeconds"])}}

    async def get(self, kind: Any, name: str, namespace: str = "", *, timeout_s: float | None = None) -> Any:
        if self.is_refusing:
            raise Forbidden("no right")
        return await super().get(kind, name, namespace, timeout_s=timeout_s)


class Scene:
    def __init__(self, folder: Path, bound: str) -> None:
        self.api, self.file = Issuer(MemoryCluster()), folder / "token"
        self.file.write_text(a_token(bound, 30 * DAY_S))

    async def look(self) -> bool:
        token = read_token(self.file.read_text())
        assert token
        return await rotation.followed(self.api, self.file, token)

    async def person(self, **annotations: str) -> None:
        body: Raw = {"metadata": {"name": NEXT, "namespace": HOSTS, "annotations": annotations}}
        await self.api.create(SECRETS, body, HOSTS)

    async def notes(self) -> list[str] | None:
        """None: the second Secret is gone."""
        found = (await self.api.list(SECRETS, HOSTS)).items
        return sorted(found[0]["metadata"].get("annotations") or {}) if found else None

    @property
    def bound(self) -> str:
        token = read_token(self.file.read_text())
        assert token
        return token.identity


@in_virtual_time
async def test_nothing_is_done_where_nobody_asks(tmp_path: Path) -> None:
    scene = Scene(tmp_path, OWN)
    assert not await scene.look() and scene.bound == OWN
    scene.api.is_refusing = True
    assert not await scene.look(), "a role of a release before"


@in_virtual_time
async def test_over_and_back_and_each_token_is_kept_before_anybody_is_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path, OWN)
    await scene.person()
    assert await scene.look() and scene.bound == NEXT and await scene.notes() == []
    assert not await scene.look() and await scene.notes() == [TAKEN]
    assert not await scene.look() and scene.bound == NEXT, "until the person has made the identity anew"
    await scene.api.patch(SECRETS, NEXT, {"metadata": {"annotations": {RENEWED: "true"}}}, HOSTS)
    assert await scene.look() and scene.bound == OWN and await scene.notes() is None
    token = read_token(scene.file.read_text())
    assert token and token.life_s == 30 * DAY_S


@pytest.mark.parametrize(
    ("bound", "said", "then", "left"),
    [
        pytest.param(NEXT, {}, NEXT, [TAKEN], id="killed before it said so"),
        pytest.param(NEXT, {RENEWED: "true"}, OWN, None, id="given up by the person, and taken all the same"),
        pytest.param(OWN, {RENEWED: "true"}, OWN, None, id="given up by the person"),
        pytest.param(OWN, {RENEWED: "true", TAKEN: "true"}, OWN, None, id="killed before it deleted it"),
    ],
)
@in_virtual_time
async def test_from_wherever_it_was_it_goes_on(
    tmp_path: Path, bound: str, said: dict[str, str], then: str, left: list[str] | None
) -> None:
    scene = Scene(tmp_path, bound)
    await scene.person(**said)
    await scene.look()
    assert scene.bound == then and await scene.notes() == left


@in_virtual_time
async def test_meanwhile_a_renewal_is_bound_to_the_second_and_short(tmp_path: Path) -> None:
    scene = Scene(tmp_path, NEXT)
    token = read_token(scene.file.read_text())
    assert token and await _renewed(scene.api, scene.file, token)
    renewed = read_token(scene.file.read_text())
    assert renewed and (renewed.identity, renewed.life_s) == (NEXT, 3600)
