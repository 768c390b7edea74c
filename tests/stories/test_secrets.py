"""A password of a Secret comes to the hosts that may run the service, and stands nowhere else: each object that is ever written, each line that
is logged, and each sentence that is told is searched for it."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterator

import pytest

from backstay_api.memory.store import Change
from backstay_api.objects.editions import edition_of
from backstay_api.objects.kinds import SECRETS, Raw
from backstay_api.objects.lease import NAMESPACE as HOSTS_NAMESPACE
from backstay_api.objects.names import NAMING_SECRET, SYSTEM_NAMESPACE, files_secret
from backstay_api.objects.rbac import FILES_TYPE
from backstay_operator.control.act.host_files import KEPT_S
from backstay_testing.stage import Stage

PATH = "/etc/web.pass"
ONE, TWO, BAD = "hunter2-one", "hunter2-two", "hunter2-bad"
FILE: Raw = {
    "path": PATH,
    "secretKeyRef": {"name": "web", "key": "password"},
    "validate": ["/bin/check"],
    "reload": ["main"],
}
RESOURCES = [{"name": "conf", "file": FILE}, {"name": "main", "systemd": {"unit": "web.service"}}]


def secret(name: str, namespace: str, text: str | None = None, type_: str = "Opaque") -> Raw:
    data = {} if text is None else {"data": {"password": base64.b64encode(text.encode()).decode()}}
    return {"metadata": {"name": name, "namespace": namespace}, "type": type_, **data}


class Told:
    """All that is written, but Secrets."""

    def __init__(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
        self.texts: list[str] = []
        self._caplog = caplog
        stage.real.cluster.observe(self._note)

    def _note(self, change: Change) -> None:
        if change.resource != SECRETS.resource:
            self.texts.append(json.dumps(change.body))

    def check(self) -> None:
        """Nothing is the password, in whatever form it could be guessed by."""
        logged = [f"{one.getMessage()} {one.__dict__}" for one in self._caplog.records]
        told = "\n".join([*self.texts, *logged])
        assert "/etc/web.pass" in told
        for form in (form for text in (ONE, TWO, BAD) for form in forms(text)):
            assert form not in told


def forms(text: str) -> Iterator[str]:
    data = text.encode()
    yield from (text, base64.b64encode(data).decode(), data.hex())
    for digest in (hashlib.sha256, hashlib.sha1, hashlib.md5, hashlib.blake2b):
        yield digest(data).hexdigest()[:16]
    for owner, mode in ((None, None), (None, "0600"), ("root", "0600"), ("root", "0644"), (None, "0644")):
        yield edition_of(text, owner, owner, mode)
        yield edition_of(text, owner, owner, mode, more="secret")


@pytest.fixture
def stage() -> Stage:
    made = Stage("n1", "n2", "n3")
    made.create(SECRETS, secret(NAMING_SECRET, SYSTEM_NAMESPACE))
    for host in ("n1", "n2", "n3"):
        made.create(SECRETS, secret(files_secret(host), HOSTS_NAMESPACE, type_=FILES_TYPE))
    return made


def says(stage: Stage, text: str) -> None:
    body = secret("web", "shop", text)
    if stage.get(SECRETS, "web") is not None:
        stage.edit(SECRETS, "web", data=body["data"])
    else:
        stage.create(SECRETS, body)


def there(stage: Stage) -> list[tuple[str | None, str | None]]:
    files = [stage.machines[host].state.files.get(PATH) for host in ("n1", "n2", "n3")]
    return [(None, None) if file is None else (file.content, file.mode) for file in files]


def held(stage: Stage, host: str) -> set[str]:
    """What is in that host's own Secret."""
    body = next(
        one
        for one in stage.real.cluster.bodies(SECRETS, HOSTS_NAMESPACE)
        if one["metadata"]["name"] == files_secret(host)
    )
    return {base64.b64decode(raw).decode() for raw in (body.get("data") or {}).values()}


def everywhere(text: str) -> list[tuple[str, str]]:
    return [(text, "0600")] * 3


def test_a_password_comes_to_hosts_and_is_told_nowhere(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = Told(stage, caplog)
    says(stage, ONE)
    stage.apply_service("web", resources=RESOURCES)
    stage.until(lambda: there(stage) == everywhere(ONE) and stage.copies(), limit_s=120)
    stage.wait(40)

    # An edit goes the whole way of editions.
    says(stage, TWO)
    stage.until(lambda: there(stage) == everywhere(TWO), limit_s=120)
    stage.wait(40)

    # An operator that begins anew calls it the same: nothing is brought anew.
    names = {host: set(stage.machines[host].state.log) for host in ("n1", "n2", "n3")}
    stage.restart_operator()
    stage.wait(60)
    assert {host: set(stage.machines[host].state.log) for host in names} == names

    # What its program says of a wrong one is not told.
    stage.machines["n2"].state.wrong[BAD] = f"/bin/check exited with 3; it said: {PATH}:7: no such word: {BAD}"
    says(stage, BAD)
    stage.until(lambda: "EditionRefused" in stage.told("web", "Degraded"), limit_s=120)
    assert stage.told("web", "Degraded")[2] == (
        f"conf: {PATH} stays as it was: n2: what checks it exited with 3, at {PATH}:7; its words are not told, for a file from a Secret is"
        " among what it has read"
    )
    assert there(stage) == everywhere(TWO)

    # Gone: what is there stays, and is told as missing.
    stage.delete(SECRETS, "web")
    stage.until(lambda: "ContentMissing" in stage.told("web", "Degraded"), limit_s=60)
    assert there(stage) == everywhere(TWO)
    told.check()


def test_what_hosts_have_in_their_secrets_is_what_they_are_told(stage: Stage) -> None:
    says(stage, ONE)
    stage.apply_service("web", resources=RESOURCES)
    stage.until(lambda: there(stage) == everywhere(ONE), limit_s=120)
    assert [held(stage, host) for host in ("n1", "n2", "n3")] == [{ONE}] * 3
    says(stage, TWO)
    stage.until(lambda: there(stage) == everywhere(TWO), limit_s=120)
    stage.wait(KEPT_S + 70)
    assert [held(stage, host) for host in ("n1", "n2", "n3")] == [{TWO}] * 3
    stage.delete_service("web")
    stage.wait(KEPT_S + 70)
    assert [held(stage, host) for host in ("n1", "n2", "n3")] == [set()] * 3


def test_a_host_that_comes_while_the_secret_is_gone_has_it_from_what_others_have(stage: Stage) -> None:
    says(stage, ONE)
    stage.apply_service("web", resources=RESOURCES)
    stage.until(lambda: there(stage) == everywhere(ONE), limit_s=120)
    stage.delete(SECRETS, "web")
    stage.create(SECRETS, secret(files_secret("n4"), HOSTS_NAMESPACE, type_=FILES_TYPE))
    stage.add_host("n4")
    stage.restart_operator()
    stage.remove_host("n3")
    stage.until(lambda: PATH in stage.machines["n4"].state.files, limit_s=200)
    assert stage.machines["n4"].state.files[PATH].content == ONE


def test_a_host_without_its_secret_says_what_to_do_and_takes_over_nothing(stage: Stage) -> None:
    stage.do(lambda: stage.real.cluster.delete(SECRETS, (HOSTS_NAMESPACE, files_secret("n2"))))
    says(stage, ONE)
    stage.apply_service("web", resources=RESOURCES)
    stage.wait(60)
    assert stage.machines["n2"].state.files.get(PATH) is None
    said = stage.world.assignments["n2"].status.prerequisites.values()
    why = next(one.facts["why"] for report in said for one in report.findings if one.name == "conf")
    assert (
        why
        == f"{PATH}: there is no Secret backstay-hosts/backstay-files-n2 for what is in it: `backstay host add n2` makes it"
    )
    assert stage.told("web", "StandbyReady")[2] == "n3 could take over now"
