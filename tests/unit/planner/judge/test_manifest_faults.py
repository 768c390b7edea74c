"""What is wrong with a manifest of prerequisites, of a promoted role, and of a window."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from backstay_api.objects.kinds import Raw
from backstay_operator.planner.judge.acceptance import Accepted, Refused
from backstay_testing.acceptance import judged
from backstay_testing.builders import a_service, address, promotable, unit

FILE: Raw = {"name": "conf", "file": {"path": "/etc/web.conf"}}


@pytest.mark.parametrize(
    ("resources", "mode", "reason", "says"),
    [
        ([FILE], "Single", "NothingToStart", "all of spec.resources are only looked at"),
        ([FILE, unit()], "Replicated", "NotSupportedYet", "spec.resources[conf] is only looked at"),
        ([{**FILE, "after": []}, unit()], "Single", "InvalidPrerequisite", "leave after out"),
        ([{**FILE, "onFailure": "Ignore"}, unit()], "Single", "InvalidPrerequisite", "leave onFailure out"),
        ([{**FILE, "timeouts": {"start": "1s"}}, unit()], "Single", "InvalidPrerequisite", "leave timeouts out"),
        (
            [{**FILE, "probes": [{"name": "p", "tcpSocket": {"port": 80}}]}, unit()],
            "Single",
            "InvalidPrerequisite",
            "leave probes out",
        ),
        ([FILE, unit(after=["conf"])], "Single", "InvalidAfter", "after names conf, which is only looked at"),
        (
            [{"name": "a", "file": {"path": "/etc/shadow"}}, unit()],
            "Single",
            "InvalidFile",
            "spec.resources[a].file.path: /etc/shadow is not looked at for any service: it is the host's own",
        ),
        (
            [{"name": "a", "certificate": {"path": "/etc/a.pem", "key": "/etc/ssh/ssh_host_rsa_key"}}, unit()],
            "Single",
            "InvalidCertificate",
            "certificate.key: /etc/ssh/ssh_host_rsa_key is not looked at",
        ),
        (
            [{"name": str(n), "file": {"path": f"/etc/{n}", "content": "\u20ac" * 12_000}} for n in range(2)]
            + [unit()],
            "Single",
            "InvalidFile",
            "the contents of files have 71 KiB together, as hosts are told them, and may have 64",
        ),
        (
            [{"name": "a", "file": {"path": "/etc/a", "content": "\x01" * 11_000}}, unit()],
            "Single",
            "InvalidFile",
            "the contents of files have 65 KiB together",
        ),
        (
            [{"name": "a", "file": {"path": "/etc/a", "content": "a", "reload": ["a"]}}, unit()],
            "Single",
            "InvalidFile",
            "file.reload: a is no systemd resource of this service",
        ),
        (
            [{"name": n, "file": {"path": "/etc/a", "content": n}} for n in ("a", "b")] + [unit()],
            "Single",
            "NamedTwice",
            "resources a and b both name",
        ),
        ([{"name": "a", "path": {"path": "/root/a"}}, unit()], "Single", "InvalidFolder", "/root/a is not looked at"),
        (
            [{"name": "a", "path": {"path": "/a", "exclude": ["**/a/**/b/**"]}}, unit()],
            "Single",
            "InvalidFolder",
            "more than twice",
        ),
        ([{"name": "a", "endpoint": {}}, unit()], "Single", "InvalidEndpoint", "exactly one of tcp and unix"),
        ([{"name": "a", "endpoint": {"tcp": "db:0"}}, unit()], "Single", "InvalidEndpoint", "no port between 1"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_only_looked_at_is_nothing_else(resources: list[Raw], mode: str, reason: str, says: str) -> None:
    refused = judged(a_service("web", *resources, mode=mode))
    assert isinstance(refused, Refused) and refused.reason == reason and says in refused.message, refused


WRITER, LOG = unit("writer", role="Promoted"), unit("log")
ADDRESS_OF_THE_PROMOTED = {**address("192.0.2.9/24"), "role": "Promoted"}


@pytest.mark.parametrize(
    ("resources", "more", "said"),
    [
        pytest.param([unit(), WRITER], {}, "", id="a copy and what is promoted"),
        pytest.param([unit(), ADDRESS_OF_THE_PROMOTED], {}, "", id="an address follows the promoted copy"),
        pytest.param([unit(), ADDRESS_OF_THE_PROMOTED], {"replicas": 1}, "", id="of one copy too"),
        pytest.param([unit()], {}, "NothingPromoted: spec.mode (Promotable): no resource has role: Promoted", id="nothing is promoted"),
        pytest.param([WRITER], {}, "NothingPromoted: spec.mode (Promotable): all resources have role: Promoted", id="there are no copies"),
        pytest.param(
            [unit(), WRITER, address("192.0.2.9/24")], {},
            "OneAddressForMany: spec.resources[address].virtualIP: of mode Promotable each would have", id="an address of each copy",
        ),
        pytest.param(
            [unit(), WRITER, address("192.0.2.9/24")], {"exclusive": True}, "OneAddressForMany: ", id="nor is it one where copies are exclusive"
        ),
        pytest.param(
            [WRITER, unit(after=["writer"])], {},
            "InvalidAfter: spec.resources: web comes after writer, but every copy has web, and writer only the promoted one",
            id="a copy that waits for what is promoted",
        ),
        pytest.param([unit(), unit("writer", role="Promoted", after=["web"])], {}, "", id="what is promoted waits for its copy anyway"),
        pytest.param([unit(), WRITER], {"recovery": {"onStopFailure": "Fence"}}, "", id="the promoted role is exclusive"),
        pytest.param([promotable()], {}, "", id="what its agent promotes is all that is needed"),
        pytest.param([promotable(), {**ADDRESS_OF_THE_PROMOTED, "after": ["db"]}], {}, "", id="what follows it waits for it"),
        pytest.param([promotable(), unit(after=["db"])], {}, "", id="and so may what each copy has"),
        pytest.param(
            [promotable("a"), promotable("b")], {}, "TwoPromotable: spec.resources: a and b are both promotable", id="whose data would count?"
        ),
    ],
)  # fmt: skip
def test_what_belongs_to_each_copy_and_what_to_the_promoted_one(
    resources: list[Raw], more: dict[str, Any], said: str
) -> None:
    spec: dict[str, Any] = {"mode": "Promotable", "replicas": 2, **more}
    found = judged(a_service("web", *resources, **spec))
    told = f"{found.reason}: {found.message}" if isinstance(found, Refused) else ""
    assert told.startswith(said) and bool(told) is bool(said)


@pytest.mark.parametrize(
    ("resource", "mode", "says"),
    [
        pytest.param(promotable(), "Single", "ocf.promotable goes with mode Promotable", id="nothing is promoted"),
        pytest.param(promotable(role="Promoted"), "Promotable", "without role: Promoted", id="each copy has it"),
        pytest.param(
            {"name": "db", "ocf": {"agent": "d:x", "promotable": True}}, "Promotable", "goes with ocf.instance", id="its name"
        ),
    ],
)  # fmt: skip
def test_what_is_promotable_is_a_named_resource_of_each_copy(resource: Raw, mode: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        a_service("web", resource, mode=mode)


def test_the_name_of_what_is_promoted_must_fit_too() -> None:
    fits, too_long = "w" * 244, "w" * 245
    assert judged(a_service(fits, unit(), WRITER, mode="Promotable")) == Accepted()
    refused = judged(a_service(too_long, unit(), WRITER, mode="Promotable"))
    assert isinstance(refused, Refused)
    assert "(its HAInstance, …-promoted)" in refused.message and "at most 244" in refused.message


@pytest.mark.parametrize(
    ("window", "why"),
    [
        ({"schedule": "0 2 * *", "duration": "1h"}, "schedule is '0 2 * *': five fields are needed"),
        (
            {"schedule": "0 2 * * *", "duration": "1h", "timeZone": "Europe"},
            "timeZone is 'Europe', which is no time zone",
        ),
        ({"schedule": "0 2 * * *", "duration": "59s"}, "duration is 59s: it must lie between 1m and 168h"),
        ({"schedule": "0 2 * * *", "duration": "169h"}, "duration is 169h: it must lie between 1m and 168h"),
    ],
)
def test_what_is_no_window_is_refused(window: Raw, why: str) -> None:
    refused = judged(a_service(placement={"failback": "Window", "window": window}))
    assert isinstance(refused, Refused) and refused.reason == "InvalidWindow"
    assert refused.message.startswith(f"spec.placement.window.{why}")


@pytest.mark.parametrize("placement", [{"failback": "Window"}, {"window": {"schedule": "0 2 * * *", "duration": "1h"}}])
def test_a_window_and_the_failback_that_waits_for_it_go_together(placement: Raw) -> None:
    with pytest.raises(ValidationError, match="failback: Window and window go together"):
        a_service(placement=placement)


def test_where_each_host_has_a_copy_there_is_nothing_to_spread() -> None:
    with pytest.raises(ValidationError, match="has nothing to spread in mode EveryHost"):
        a_service(mode="EveryHost", placement={"spread": [{"topologyKey": "rack", "maxSkew": 1}]})


def test_two_copies_on_one_host_are_refused_with_the_reason() -> None:
    a_service("web", unit(), mode="Replicated", replicas=2, maxPerHost=1)
    with pytest.raises(ValidationError, match="two copies of one service on one host would be one unit there"):
        a_service("web", unit(), mode="Replicated", replicas=2, maxPerHost=2)
