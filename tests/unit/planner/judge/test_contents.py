"""What is in a file that comes from a ConfigMap: what that says, or what hosts were told last; and when a service is refused for it."""

from __future__ import annotations

import pytest

from backstay_api.objects.editions import edition_of
from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.do import prerequisites as orders
from backstay_operator.planner.do.decisions import decide_in_turn
from backstay_operator.planner.judge import contents
from backstay_operator.planner.judge.acceptance import Accepted, Refused, accept
from backstay_operator.planner.judge.prerequisites import unmet
from backstay_operator.planner.know.contents import ConfigMapSeen
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import a_world, amend, own_copy, put, say_seen

PATH = "/etc/web.conf"
FIELD = "spec.resources[conf].file.configMapKeyRef"
GONE = ConfigMapSeen(why="is not there: create it")
LONG = "x" * 32_769


def conf(key: str = "conf", name: str = "conf", path: str = PATH) -> Raw:
    return {"name": name, "file": {"path": path, "configMapKeyRef": {"name": "web", "key": key}}}


def says(**data: str) -> ConfigMapSeen:
    return ConfigMapSeen(data=data)


def world(seen: ConfigMapSeen | None, of: HAService, *, told: Raw | None = None, holder: str | None = None) -> World:
    """Three hosts. `told`: what n2 was told of the file before."""
    made = a_world("n1", "n2", "n3")
    instance = put(made, of, epoch=1 if holder else 0, host=holder)
    if seen is not None:
        made.contents["shop/web"] = seen
    if told is not None:
        order = {"namespace": "shop", "name": "web-0", "revision": 1, "resources": [{"name": "conf", "file": told}]}
        amend(made, "n2", "spec", {"prerequisites": {instance.uid: order}})
    return made


def service(*files: Raw) -> HAService:
    return a_service("web", *(files or (conf(),)), unit())


def text(made: World, of: HAService) -> str | None:
    instance: HAInstance = made.instances["shop/web-0"]
    found = contents.brought(made, of, instance, of.spec.resources[0])
    return found.file.content if found is not None and found.file is not None else None


OLD: Raw = {"path": PATH, "content": "old"}


@pytest.mark.parametrize(
    ("seen", "told", "expected"),
    [
        pytest.param(says(conf="new"), OLD, "new", id="what it says"),
        pytest.param(says(conf=""), OLD, "", id="nothing is a content too"),
        pytest.param(GONE, OLD, "old", id="it is gone: what was told last"),
        pytest.param(says(other="x"), OLD, "old", id="the key is gone"),
        pytest.param(says(conf="a\0"), OLD, "old", id="no text"),
        pytest.param(says(conf=LONG), OLD, "old", id="too long"),
        pytest.param(None, OLD, "old", id="not read yet, by an operator that begins anew"),
        pytest.param(None, None, None, id="not read yet, and never told"),
        pytest.param(GONE, None, None, id="gone, and never told"),
        pytest.param(GONE, {**OLD, "path": "/etc/other.conf"}, None, id="what was told was of another path"),
        pytest.param(GONE, {"path": PATH}, None, id="it was only looked at"),
    ],
)
def test_what_is_in_it(seen: ConfigMapSeen | None, told: Raw | None, expected: str | None) -> None:
    of = service()
    assert text(world(seen, of, told=told), of) == expected


def test_what_the_holder_was_told_comes_first() -> None:
    of = service()
    made = world(GONE, of, told=OLD, holder="n3")
    order = made.assignments["n2"].wire()["spec"]["prerequisites"]
    (uid,) = order
    order[uid]["resources"][0]["file"]["content"] = "of its holder"
    amend(made, "n3", "spec", {"prerequisites": order})
    assert text(made, of) == "of its holder"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(None, "", id="not read yet"),
        pytest.param(says(conf="x"), "", id="all is well"),
        pytest.param(GONE, f"ConfigMap shop/web is not there: create it; or name another in {FIELD}", id="gone"),
        pytest.param(
            says(a="x", b="y"),
            f"ConfigMap shop/web has no key conf but a, b: add it; or name another in {FIELD}",
            id="no such key",
        ),
        pytest.param(
            says(), f"ConfigMap shop/web has no key conf but none: add it; or name another in {FIELD}", id="no key"
        ),
        pytest.param(
            ConfigMapSeen(binary=frozenset({"conf"})),
            "ConfigMap shop/web has conf under binaryData, and a file that is brought is text: put it under data;"
            f" or name another in {FIELD}",
            id="binary",
        ),
        pytest.param(
            says(conf=LONG),
            "conf of ConfigMap shop/web has 32769 characters, and a file that is brought may have 32768: mend it,"
            f" or name another in {FIELD}",
            id="too long",
        ),
        pytest.param(
            says(conf="a\0b"),
            f"conf of ConfigMap shop/web has a NUL in it, and no text has one: mend it, or name another in {FIELD}",
            id="NUL",
        ),
    ],
)
def test_why_it_cannot_be_brought(seen: ConfigMapSeen | None, expected: str) -> None:
    of = service()
    assert contents.fault(world(seen, of), of, of.spec.resources[0]) == expected
    found = accept(world(seen, of), of)
    if expected:
        assert found == Refused("ContentMissing", expected), "what was never told is refused"
        assert isinstance(accept(world(seen, of, told=OLD), of), Accepted), "what was goes on as it was"
    else:
        assert isinstance(found, Accepted)


def test_all_files_of_a_service_have_an_end_together() -> None:
    three = [conf(f"k{at}", f"conf{at}", f"/etc/web{at}.conf") for at in range(3)]
    of = service(*three)
    made = world(says(k0="x" * 30_000, k1="x" * 30_000, k2="x" * 5_000), of)
    assert contents.fault(made, of, of.spec.resources[2]) == ""
    made.contents["shop/web"] = says(k0="x" * 30_000, k1="x" * 30_000, k2="x" * 7_000)
    why = contents.fault(made, of, of.spec.resources[2])
    assert why == "with k2 of ConfigMap shop/web its files have 66 KiB together, and may have 64: make them shorter"


def test_what_hosts_keep_of_one_that_says_nothing_any_more_counts_too() -> None:
    of = service(conf(), conf("k1", "other", "/etc/other.conf"))
    made = world(says(k1="x" * 10_000), of, told={"path": PATH, "content": "é" * 30_000}, holder="n2")
    why = contents.fault(made, of, of.spec.resources[1])
    assert why == "with k1 of ConfigMap shop/web its files have 69 KiB together, and may have 64: make them shorter"
    assert "has no key conf" in contents.fault(made, of, of.spec.resources[0])
    made.contents["shop/web"] = says(conf="short", k1="x" * 10_000)
    assert contents.fault(made, of, of.spec.resources[1]) == ""


def ordered(made: World, of: HAService) -> dict[str, list[str | None]]:
    _, decision = decide_in_turn(made, of)
    found = orders.orders(made, decision.slots[0])
    return {host: [one.file.content if one.file else None for one in order.resources] for host, _, order in found}


def test_hosts_are_told_the_content_and_nothing_of_a_file_whose_content_nobody_knows() -> None:
    of = service(conf(), {"name": "other", "file": {"path": "/etc/other.conf"}})
    assert ordered(world(says(conf="new"), of), of) == {host: ["new", None] for host in ("n1", "n2", "n3")}
    assert ordered(world(None, of), of) == {host: [None] for host in ("n1", "n2", "n3")}


def has(edition: str, *staged: str) -> Raw:
    return {"name": "conf", "facts": {"edition": edition, "staged": " ".join(staged)}}


A, B = (edition_of(content, None, None, None) for content in ("a", "b"))


@pytest.mark.parametrize(
    ("seen", "said", "holder", "expected"),
    [
        pytest.param(says(conf="a"), has(A, A), None, "", id="it has what it shall start with"),
        pytest.param(says(conf="b"), has(A, A, B), None, "", id="it could have it at once"),
        pytest.param(
            says(conf="b"),
            has(A, A),
            None,
            f"conf: file {PATH} is not as its ConfigMap says now yet",
            id="it says that of what was there before an edit",
        ),
        pytest.param(says(conf="b"), has(A, A), "n2", "", id="once it runs it goes on"),
        pytest.param(None, None, None, "conf: ConfigMap shop/web has not been read yet", id="not read yet"),
        pytest.param(
            GONE,
            None,
            None,
            f"conf: ConfigMap shop/web is not there: create it; or name another in {FIELD}",
            id="nobody ever had it",
        ),
    ],
)
def test_a_host_is_not_ready_by_what_it_said_of_another_content(
    seen: ConfigMapSeen | None, said: Raw | None, holder: str | None, expected: str
) -> None:
    of = service()
    made = world(seen, of, holder=holder)
    if said is not None:
        say_seen(made, of, "n2", said)
    found = unmet(made, of, made.instances["shop/web-0"], "n2")
    assert "; ".join(one.told for one in found) == expected
    assert not any(one.is_known for one in found), "it passes by itself"


def test_an_edit_of_the_service_changes_which_are_named() -> None:
    made, of = world(None, service()), service()
    assert made.named_by == {"shop/web": {"shop/web"}}
    other = own_copy(made)
    other.put_service(a_service("web", unit()))
    made.drop_service(of.key)
    assert made.named_by == other.named_by == {}
