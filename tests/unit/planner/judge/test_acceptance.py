"""What is refused before anything is done, with a sentence that says what to change."""

from __future__ import annotations

import pytest

from backstay_api.objects.addresses import canonical_address
from backstay_api.objects.devices import canonical_device
from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_api.objects.resource_kinds import claims_of
from backstay_operator.planner.judge import acceptance, unsupported
from backstay_operator.planner.judge.acceptance import Accepted, Refused
from backstay_testing.acceptance import judged
from backstay_testing.builders import a_service, address, unit
from backstay_testing.worlds import a_world

FILE: Raw = {"name": "conf", "file": {"path": "/etc/web.conf"}}
LAG: Raw = {"name": "lag", "replication": {"command": ["/bin/lag"]}}


@pytest.mark.parametrize(
    ("service", "path"),
    [
        pytest.param(a_service("web", LAG), "spec.resources[lag].replication", id="replication"),
        pytest.param(a_service("web", unit(strategy="Share")), "spec.resources[web].strategy (Share)", id="strategy"),
    ],
)
def test_what_we_cannot_do_yet_is_refused_and_named(service: HAService, path: str) -> None:
    refused = judged(service)
    assert isinstance(refused, Refused)
    assert refused.reason == "NotSupportedYet" and refused.message.startswith(f"{path} is not supported yet: ")


@pytest.mark.parametrize(
    "service",
    [
        pytest.param(a_service(), id="the smallest service"),
        pytest.param(a_service(state="Stopped"), id="Stopped"),
        pytest.param(a_service(state="Unmanaged"), id="Unmanaged"),
        pytest.param(a_service(mode="Replicated", replicas=3), id="several copies of what a host has for itself"),
        pytest.param(
            a_service("web", address("192.0.2.7/24"), mode="Replicated", replicas=1, exclusive=True), id="one copy"
        ),
        pytest.param(a_service(mode="EveryHost"), id="one copy on every host"),
        pytest.param(
            a_service(dependsOn=[{"service": "net", "role": "Any"}]), id="what it depends on, be it there or not"
        ),
        pytest.param(a_service(replicas=1, dependsOn=[], recovery={}), id="empty is as good as absent"),
        pytest.param(
            a_service(recovery={"restarts": 3, "window": "10m", "onStopFailure": "Block"}), id="what is so anyway"
        ),
        pytest.param(a_service(placement={"failback": "Always", "priority": 0}), id="failback Always"),
        pytest.param(
            a_service(placement={"failback": "Window", "window": {"schedule": "0 2 * * sun", "duration": "168h"}}),
            id="failback Window",
        ),
        pytest.param(a_service("web", unit(strategy="Move", gate="Block", role="Any")), id="a resource's own defaults"),
        *(
            pytest.param(a_service("web", unit(probes=[{"name": "p", **probe}])), id=f"probe {', '.join(probe)}")
            for probe in (
                {"grpc": {"port": 1, "service": "shop.Cart", "tls": {"certFile": "/c"}}, "onFailure": "Degrade"},
                {"httpGet": {"port": 1, "expectedStatus": ["200-299", "401"], "expectedBody": {"matches": "^ok$"}}},
                {"httpGet": {"port": 1, "scheme": "HTTPS", "tls": {"caFile": "/c", "serverName": "shop.example"}}},
            )
        ),
        pytest.param(
            a_service("web", unit(), address("192.0.2.10/32"), address("2001:db8::1/64", "six")), id="addresses"
        ),
    ],
)
def test_what_happens_anyway_may_be_said(service: HAService) -> None:
    assert isinstance(judged(service), Accepted)


def test_every_path_of_the_table_is_a_field() -> None:
    everything = a_service(
        "web",
        unit(probes=[{"name": "p", "tcpSocket": {"port": 1}}]),
        FILE,
        recovery={"restarts": 3},
        placement={"stickiness": 1},
        dependsOn=[{"service": "net"}],
        rollout={"soak": "5s"},
    )
    for path, _ in unsupported._PATHS:
        assert list(unsupported._values(everything.spec, path, "spec")), path


@pytest.mark.parametrize(
    ("resources", "reason", "said"),
    [
        pytest.param([address("192.0.2.0/24")], "InvalidAddress", "address of the subnet itself", id="network"),
        pytest.param([address("192.0.2.255/24")], "InvalidAddress", "broadcast", id="broadcast"),
        pytest.param([address("255.255.255.255/32")], "InvalidAddress", "unicast", id="everybody"),
        pytest.param([address("0.1.2.3/24")], "InvalidAddress", "unicast", id="this network"),
        pytest.param([address("240.0.0.1/24")], "InvalidAddress", "unicast", id="reserved"),
        pytest.param([address("192.0.2.10/0")], "InvalidAddress", "/0 is no subnet", id="a subnet of everything"),
        pytest.param([address("2001:db8::1/0")], "InvalidAddress", "/0 is no subnet", id="of everything, in v6"),
        pytest.param([address("224.0.0.1/24")], "InvalidAddress", "unicast", id="multicast"),
        *(
            pytest.param(
                [unit(probes=[{"name": "p", **who, kind: {"port": 1, **wanted}}])],
                "InvalidProbe",
                f"spec.resources[web].probes[p].{kind}.{said}",
                id=said,
            )
            for kind, wanted, who, said in (
                ("httpGet", {"tls": {}}, {}, "tls: goes with scheme: HTTPS only"),
                (
                    "httpGet",
                    {"expectedStatus": ["200", "299-200"]},
                    {},
                    "expectedStatus: 299-200 ends before it begins",
                ),
                ("httpGet", {"expectedBody": {}}, {}, "expectedBody: it expects nothing: give contains or matches"),
                (
                    "httpGet",
                    {"scheme": "HTTPS", "tls": {"keyFile": "/k"}},
                    {},
                    "tls.keyFile: a key alone shows nothing",
                ),
                (
                    "grpc",
                    {"tls": {"insecureSkipVerify": True, "caFile": "/c"}},
                    {},
                    "tls: with insecureSkipVerify nothing",
                ),
                ("grpc", {"host": "localhost"}, {"from": "Standby"}, "host: localhost is each host that asks itself"),
                (
                    "tcpSocket",
                    {"host": "127.0.0.1"},
                    {"from": "Standby"},
                    "host: 127.0.0.1 is each host that asks itself",
                ),
                ("httpGet", {"host": ""}, {"from": "Standby"}, "host: empty is each host that asks itself"),
            )
        ),
        pytest.param([unit("a", "x.service"), unit("b", "x.service")], "NamedTwice", "a and b", id="a unit twice"),
        pytest.param(
            [address("2001:db8::1/64"), address("2001:0db8:0::1/48", "b")],
            "NamedTwice",
            "address and b",
            id="an address twice",
        ),
        pytest.param([unit(timeouts={"stop": "0s"})], "InvalidDuration", "timeouts.stop is 0s", id="no time to stop"),
        pytest.param([unit(timeouts={"start": "25h"})], "InvalidDuration", "between 0.1s and 24h", id="for ever"),
        pytest.param(
            [unit("a", "a.service", after=["b"])],
            "InvalidAfter",
            "spec.resources: a comes after b, and there is no resource of that name",
            id="after nobody",
        ),
        pytest.param(
            [
                unit("a", "a.service", after=["c"]),
                unit("b", "b.service", after=["a"]),
                unit("c", "c.service", after=["b"]),
            ],
            "InvalidAfter",
            "spec.resources: a waits for c, c waits for b, b waits for a: none of them could ever start",
            id="a circle",
        ),
        pytest.param(
            [unit("a", "a.service", onFailure="Ignore"), unit("b", "b.service")],
            "InvalidOnFailure",
            "spec.resources[b] stands on a, whose onFailure is Ignore",
            id="on what may fail",
        ),
        pytest.param(
            [unit(probes=[{"name": "p", "tcpSocket": {"port": 1}, "period": "1ms"}])],
            "InvalidDuration",
            "spec.resources[web].probes[p].period is 1ms",
            id="a probe that never rests",
        ),
    ],
)
def test_nonsense_is_refused_with_a_sentence(resources: list[Raw], reason: str, said: str) -> None:
    refused = judged(a_service("web", *resources))
    assert isinstance(refused, Refused)
    assert refused.reason == reason and said in refused.message


@pytest.mark.parametrize(
    ("rollout", "file", "said"),
    [
        pytest.param({"soak": "0.9s"}, {"content": "x"}, "spec.rollout.soak is 0.9s: it must lie between", id="short"),
        pytest.param({"soak": "61m"}, {"content": "x"}, "spec.rollout.soak is 61m: it must lie between", id="long"),
        pytest.param({"soak": "5s"}, {}, "spec.rollout says how files are tried", id="nothing is brought"),
    ],
)
def test_a_rollout_that_makes_no_sense_is_refused(rollout: Raw, file: Raw, said: str) -> None:
    conf = {"name": "conf", "file": {"path": "/etc/web.conf", **file}}
    refused = judged(a_service("web", conf, unit(), rollout=rollout))
    assert isinstance(refused, Refused)
    assert refused.reason == "InvalidRollout" and said in refused.message
    assert isinstance(
        judged(
            a_service("web", conf | {"file": {"path": "/etc/web.conf", "content": "x"}}, unit(), rollout={"soak": "1h"})
        ),
        Accepted,
    )


@pytest.mark.parametrize(
    ("recovery", "reason", "said"),
    [
        pytest.param({"window": "0s"}, "InvalidDuration", "spec.recovery.window is 0s", id="a window of nothing"),
        pytest.param({"moves": {"limit": 1, "per": "0s"}}, "InvalidDuration", "recovery.moves.per is 0s", id="no time"),
        pytest.param({"window": "25h"}, "InvalidDuration", "between 0.1s and 24h", id="a window of more than a day"),
        pytest.param(
            {"backoff": {"initial": "1ms"}}, "InvalidDuration", "recovery.backoff.initial is 1ms", id="a storm"
        ),
        pytest.param(
            {"backoff": {"max": "48h"}}, "InvalidDuration", "recovery.backoff.max is 48h", id="a pause of days"
        ),
        pytest.param(
            {"backoff": {"initial": "9s", "max": "3s"}}, "InvalidBackoff", "shorter than", id="max before initial"
        ),
        pytest.param(
            {"restarts": 25}, "RestartsNeverUsedUp", "25 restarts with these pauses take 601s", id="never used up"
        ),
        pytest.param({"restarts": 3, "window": "3s"}, "RestartsNeverUsedUp", "take 3s at least", id="just not"),
    ],
)
def test_a_recovery_that_cannot_work_is_refused(recovery: Raw, reason: str, said: str) -> None:
    refused = judged(a_service(recovery=recovery))
    assert isinstance(refused, Refused)
    assert refused.reason == reason and said in refused.message


@pytest.mark.parametrize(
    "recovery",
    [
        pytest.param({"restarts": 0, "window": "1s"}, id="none in place"),
        pytest.param({"restarts": 24}, id="as many as fit"),
        pytest.param({"moves": {"limit": 0, "per": "1h"}}, id="no move"),
        pytest.param({"restarts": 1000, "backoff": {"initial": "0.1s", "max": "0.1s"}}, id="a thousand quick ones"),
        pytest.param({"restarts": 3, "window": "3.1s"}, id="just so"),
    ],
)
def test_a_recovery_that_can_be_used_up_is_accepted(recovery: Raw) -> None:
    assert judged(a_service(recovery=recovery)) == Accepted()


def test_of_two_made_in_the_same_second_exactly_one_is_accepted() -> None:
    pair = a_service("a", address("192.0.2.10/24")), a_service("b", address("192.0.2.10/24"))
    assert [type(judged(*pair)), type(judged(*reversed(pair)))] == [Accepted, Refused]


def test_the_index_follows_edits_and_deletions() -> None:
    world = a_world("n1")
    first, second = a_service("a", unit("x")), a_service("b", unit("x"), created="2026-02-02T00:00:00Z")
    world.put_service(first)
    world.put_service(second)
    assert isinstance(acceptance.accept(world, second), Refused)
    world.put_service(a_service("a", unit("y")))
    assert isinstance(acceptance.accept(world, second), Accepted)
    world.put_service(first)
    world.drop_service(first.key)
    assert isinstance(acceptance.accept(world, second), Accepted)
    assert set(world.wanted_by) == {key.name for key in claims_of(second.spec.resources)}


@pytest.mark.parametrize("written", ["192.0.2.10/24", "192.0.2.10/32", "::ffff:c000:20a/120", "::ffff:192.0.2.10/128"])
def test_an_address_has_one_form_for_its_claim(written: str) -> None:
    assert canonical_address(written) == "192.0.2.10"


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("/dev/disk/by-uuid/AB-cd", "UUID=ab-cd"),
        ("UUID=AB-CD", "UUID=ab-cd"),
        ("/dev/disk/by-partuuid/0B-1", "PARTUUID=0b-1"),
        (r"/dev/disk/by-label/my\x20Data", "LABEL=my Data"),
        ("LABEL=my Data", "LABEL=my Data"),
        ("/dev/disk/by-id/wwn-0x5", "/dev/disk/by-id/wwn-0x5"),
        ("NAS.example:/PG", "nas.example:/PG"),
        ("/srv/a:/b", "/srv/a:/b"),
    ],
)
def test_a_device_has_one_form_for_its_claim(written: str, form: str) -> None:
    assert canonical_device(written) == form


def disk(device: str, path: str = "/srv/db", *options: str) -> Raw:
    return {"name": "disk", "mount": {"device": device, "path": path, "options": [*options]}}


@pytest.mark.parametrize(
    ("mine", "theirs", "taken"),
    [
        pytest.param(disk("UUID=ab"), disk("/dev/disk/by-uuid/AB", "/mnt"), "device UUID=ab", id="one disk, two names"),
        pytest.param(disk("UUID=ab"), disk("UUID=cd"), "path /srv/db", id="one path, two disks"),
        pytest.param(disk("UUID=ab"), disk("UUID=cd", "/srv/other"), "", id="two disks, two paths"),
        pytest.param(disk("nas:/x"), disk("NAS:/x", "/mnt"), "device nas:/x", id="one export"),
        pytest.param(disk("nas:/x", "/srv/db", "ro"), disk("nas:/x", "/mnt"), "", id="one export, read only"),
        pytest.param(disk("/srv/a", "/srv/db", "bind"), disk("/srv/a", "/mnt", "bind"), "", id="one folder, bound twice"),
    ],
)  # fmt: skip
def test_a_device_belongs_to_one_service_and_a_path_to_one_on_each_host(mine: Raw, theirs: Raw, taken: str) -> None:
    first = a_service("first", theirs, created="2026-01-01T00:00:00Z")
    verdict = judged(a_service("second", mine, created="2026-01-02T00:00:00Z"), first)
    assert isinstance(verdict, Refused) is bool(taken)
    assert not isinstance(verdict, Refused) or verdict.message.startswith(f"{taken} belongs to the HAService")


def test_a_disk_needs_a_service_that_never_runs_twice_and_a_shared_folder_does_not() -> None:
    refused = judged(a_service("db", disk("UUID=ab"), exclusive=False))
    assert isinstance(refused, Refused) and refused.reason == "DeviceNotExclusive"
    for one in (disk("nas:/x", "/srv/db", "ro"), disk("/srv/a", "/srv/db", "bind")):
        assert isinstance(judged(a_service("web", one, exclusive=False)), Accepted)


@pytest.mark.parametrize(
    ("spec", "many"),
    [({"mode": "Replicated", "replicas": 2}, "2 replicas"), ({"mode": "EveryHost"}, "mode EveryHost")],
)
@pytest.mark.parametrize("exclusive", [None, True])
def test_an_address_is_not_on_as_many_hosts_as_there_are_copies(spec: Raw, many: str, exclusive: bool | None) -> None:
    refused = judged(a_service("web", unit(), address("192.0.2.7/24"), exclusive=exclusive, **spec))
    assert refused == Refused(
        "OneAddressForMany",
        f"spec.resources[address].virtualIP: of {many} each would have address 192.0.2.7 on its host, and one host at a time"
        " can have it; leave the address out, or let it be one copy (mode Single)",
    )


def test_one_copy_with_an_address_is_to_be_exclusive_and_the_default_of_its_mode_is_not() -> None:
    refused = judged(a_service("web", address("192.0.2.7/24"), mode="Replicated"))
    assert isinstance(refused, Refused) and refused.reason == "AddressNotExclusive"
    assert "spec.exclusive: true (the default of mode Single)" in refused.message


@pytest.mark.parametrize("said", [-1, "-2", "4gi", "", "much"])
def test_what_is_no_amount_is_refused_by_name(said: int | str) -> None:
    refused = judged(a_service(placement={"capacity": {"cpu": 1, "memory": said}}))
    assert isinstance(refused, Refused) and refused.reason == "InvalidCapacity"
    assert refused.message.startswith(f"spec.placement.capacity[memory] is {said!r}, which is no amount")
