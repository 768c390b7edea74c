"""A file that comes from a Secret: the planner has the name of what is in it, and tells nothing more; and when a service is refused for it."""

from __future__ import annotations

import pytest

from backstay_api.objects.editions import edition_id
from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_operator.planner.do import prerequisites as orders
from backstay_operator.planner.do.decisions import decide_in_turn
from backstay_operator.planner.judge import contents
from backstay_operator.planner.judge.acceptance import Accepted, Refused, accept
from backstay_operator.planner.judge.prerequisites import unmet
from backstay_operator.planner.know.contents import SECRET_MISSING, SecretSeen
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import a_world, amend, put, say_seen

PATH = "/etc/web.pass"
FIELD = "spec.resources[conf].file.secretKeyRef"
OLD_NAME, NEW_NAME = "a" * 32, "b" * 32
COMMAND = "may not be read by the operator; kubectl create rolebinding …"
FORBIDDEN = SecretSeen(why=COMMAND, is_forbidden=True)
OLD: Raw = {"path": PATH, "secret": OLD_NAME}


def conf(key: str = "conf", name: str = "conf", path: str = PATH) -> Raw:
    return {"name": name, "file": {"path": path, "secretKeyRef": {"name": "web", "key": key}}}


def service(*files: Raw) -> HAService:
    return a_service("web", *(files or (conf(),)), unit())


def says(name: str = NEW_NAME, faults: dict[str, str] | None = None) -> SecretSeen:
    return SecretSeen(data={"conf": name}, faults=faults or {})


def world(seen: SecretSeen | None, of: HAService, *, told: Raw | None = None, holder: str | None = None) -> World:
    """Three hosts. `told`: what n2 was told of the file before."""
    made = a_world("n1", "n2", "n3")
    instance = put(made, of, epoch=1 if holder else 0, host=holder)
    if seen is not None:
        made.contents["secret:shop/web"] = seen
    if told is not None:
        order = {"namespace": "shop", "name": "web-0", "revision": 1, "resources": [{"name": "conf", "file": told}]}
        amend(made, "n2", "spec", {"prerequisites": {instance.uid: order}})
    return made


def ordered(made: World, of: HAService) -> dict[str, list[tuple[str | None, str]]]:
    """By host: content and name of it, as each is told."""
    _, decision = decide_in_turn(made, of)
    found = orders.orders(made, decision.slots[0])
    files = {host: [one.file for one in order.resources if one.file] for host, _, order in found}
    return {host: [(file.content, file.secret) for file in told] for host, told in files.items()}


@pytest.mark.parametrize(
    ("seen", "told", "expected"),
    [
        pytest.param(says(), OLD, NEW_NAME, id="what it says"),
        pytest.param(SECRET_MISSING, OLD, OLD_NAME, id="it is gone: what was told last"),
        pytest.param(FORBIDDEN, OLD, OLD_NAME, id="the right is taken away"),
        pytest.param(None, OLD, OLD_NAME, id="not read yet, by an operator that begins anew"),
        pytest.param(says(faults={"conf": "has a NUL in it"}), OLD, OLD_NAME, id="no text"),
        pytest.param(None, {"path": PATH, "content": "open"}, None, id="what was told came from no Secret"),
        pytest.param(SECRET_MISSING, {**OLD, "path": "/etc/other"}, None, id="of another path"),
        pytest.param(None, None, None, id="not read yet, and never told"),
    ],
)
def test_hosts_are_told_the_name_of_what_is_in_it_and_never_that(
    seen: SecretSeen | None, told: Raw | None, expected: str | None
) -> None:
    of = service()
    made = world(seen, of, told=told)
    if isinstance(accept(made, of), Accepted):
        assert ordered(made, of) == ({host: [(None, expected)] for host in ("n1", "n2", "n3")} if expected else {})
    else:
        assert expected is None


def test_what_a_secret_had_is_never_told_as_the_content_of_a_config_map() -> None:
    of = a_service(
        "web", {"name": "conf", "file": {"path": PATH, "configMapKeyRef": {"name": "web", "key": "conf"}}}, unit()
    )
    made = world(None, of, told=OLD)
    assert ordered(made, of) == {}


@pytest.mark.parametrize(
    ("seen", "reason", "why"),
    [
        pytest.param(FORBIDDEN, "NoAccess", f"Secret shop/web {COMMAND}", id="forbidden: the command stands last"),
        pytest.param(
            SECRET_MISSING,
            "ContentMissing",
            f"Secret shop/web is not there: create it; or name another in {FIELD}",
            id="gone",
        ),
        pytest.param(
            SecretSeen(data={"other": NEW_NAME}),
            "ContentMissing",
            f"Secret shop/web has no key conf: add it; or name another in {FIELD}",
            id="no such key: which there are is not told",
        ),
        pytest.param(
            SecretSeen(binary=frozenset({"conf"})),
            "ContentMissing",
            f"Secret shop/web has a conf that is no text in UTF-8: mend it; or name another in {FIELD}",
            id="no text",
        ),
        pytest.param(
            says(faults={"conf": "has a NUL in it, and no text has one"}),
            "ContentMissing",
            f"conf of Secret shop/web has a NUL in it, and no text has one: mend it, or name another in {FIELD}",
            id="NUL",
        ),
    ],
)
def test_a_service_that_never_had_it_is_refused_and_what_was_there_goes_on(
    seen: SecretSeen, reason: str, why: str
) -> None:
    of = service()
    assert accept(world(seen, of), of) == Refused(reason, why)
    assert isinstance(accept(world(seen, of, told=OLD), of), Accepted)
    assert contents.fault(world(seen, of, told=OLD), of, of.spec.resources[0]) == why


def test_all_files_from_secrets_have_an_end_together() -> None:
    of = service(conf(), conf("k1", "other", "/etc/other"))
    seen = SecretSeen(data={"conf": OLD_NAME, "k1": NEW_NAME}, sizes={"conf": 40_000, "k1": 25_000})
    assert contents.fault(world(seen, of), of, of.spec.resources[0]) == ""
    more = SecretSeen(data=seen.data, sizes={"conf": 40_000, "k1": 26_000})
    why = contents.fault(world(more, of), of, of.spec.resources[0])
    assert (
        why
        == "with conf of Secret shop/web its files from Secrets have 65 KiB together, and may have 64: make them shorter"
    )


@pytest.mark.parametrize(
    ("seen", "said", "expected"),
    [
        pytest.param(says(), True, "", id="it has what it shall start with"),
        pytest.param(
            says(OLD_NAME), True, f"conf: file {PATH} is not as its Secret says now yet", id="of another content"
        ),
        pytest.param(None, False, "conf: Secret shop/web has not been read yet", id="not read yet"),
        pytest.param(
            says(),
            False,
            "conf: not looked at yet, which an agent that does not know files from Secrets never does: is backstay-agent"
            " there of this release?",
            id="an agent of the release before leaves it aside",
        ),
    ],
)
def test_when_a_host_is_not_ready(seen: SecretSeen | None, said: bool, expected: str) -> None:
    of = service()
    made = world(seen, of)
    if said:
        known = contents.with_content(of.spec.resources[0], of.spec.resources[0].file, NEW_NAME)  # type: ignore[arg-type]
        edition = edition_id(known.file)
        say_seen(made, of, "n2", {"name": "conf", "facts": {"edition": edition, "staged": edition}})
    found = unmet(made, of, made.instances["shop/web-0"], "n2")
    assert "; ".join(one.told for one in found) == expected
