"""`backstay drain` and `undrain`: what they write, and what they wait for."""

from __future__ import annotations

import pytest

from backstay_api.objects.models import HAInstance, Host
from backstay_cli.session import NOT_NOW, WELL
from backstay_testing.cli_scene import a_cluster, kind_of


def test_drain_and_undrain_write_the_host_and_nothing_else() -> None:
    cluster = a_cluster()
    assert cluster.run("drain", "n1", "--reason", "new disks").exit_code == WELL
    assert cluster.get(Host, "n1")["spec"]["maintenance"] == {"mode": "Drain", "reason": "new disks"}
    assert cluster.run("undrain", "n1").exit_code == WELL
    assert "maintenance" not in cluster.get(Host, "n1")["spec"]
    assert "was not in maintenance" in cluster.run("undrain", "n1").stdout


def test_drain_of_a_host_in_other_hands_is_refused() -> None:
    cluster = a_cluster()
    cluster.store.patch(kind_of(Host), ("", "n1"), {"spec": {"maintenance": {"mode": "HandsOff"}}})
    answer = cluster.run("drain", "n1")
    assert answer.exit_code == NOT_NOW and "HandsOff" in answer.stderr


def test_a_drain_that_waits_gives_up_and_says_what_is_left() -> None:
    answer = a_cluster().run("drain", "n1", "--wait", "--timeout", "30s")
    assert answer.exit_code == NOT_NOW
    assert "after 30 s n1 is not empty; it stays drained" in answer.stderr
    assert "shop/web: Running" in answer.stderr


def test_a_drain_of_an_empty_host_has_nothing_to_wait_for() -> None:
    answer = a_cluster().run("drain", "n2", "--wait")
    assert answer.exit_code == WELL and "Nothing of Backstay runs on n2 any more." in answer.stdout


def test_a_host_is_not_called_empty_while_an_instance_cannot_be_read() -> None:
    cluster = a_cluster()
    cluster.store.patch(kind_of(HAInstance), ("shop", "web-0"), {"spec": {"epoch": "seven"}})
    for words in (["drain", "n2", "--wait"], ["host", "remove", "n2"]):
        answer = cluster.run(*words)
        assert answer.exit_code == NOT_NOW and "HAInstance shop/web-0 cannot be read" in answer.stderr, words
    assert "deletionTimestamp" not in cluster.get(Host, "n2")["metadata"]


def test_cordon_and_uncordon_write_the_host_and_nothing_else() -> None:
    cluster = a_cluster()
    assert cluster.run("cordon", "n1", "--reason", "new disks").exit_code == WELL
    assert cluster.get(Host, "n1")["spec"]["maintenance"] == {"mode": "Cordon", "reason": "new disks"}
    assert cluster.run("uncordon", "n1").exit_code == WELL
    assert "maintenance" not in cluster.get(Host, "n1")["spec"]
    assert "was not in maintenance" in cluster.run("uncordon", "n1").stdout


@pytest.mark.parametrize(
    ("verb", "mode", "said"),
    [
        ("cordon", "Drain", "n1 is being drained, so nothing comes there either"),
        ("cordon", "HandsOff", "HandsOff"),
        ("uncordon", "Drain", "n1 is not cordoned but in maintenance Drain: `backstay undrain n1` ends that"),
    ],
)
def test_what_is_more_than_a_cordon_is_left_as_it_is(verb: str, mode: str, said: str) -> None:
    cluster = a_cluster()
    cluster.store.patch(kind_of(Host), ("", "n1"), {"spec": {"maintenance": {"mode": mode}}})
    answer = cluster.run(verb, "n1")
    assert answer.exit_code == NOT_NOW and said in answer.stderr
    assert cluster.get(Host, "n1")["spec"]["maintenance"]["mode"] == mode


def test_handsoff_comes_over_every_other_maintenance_and_keeps_its_reason() -> None:
    cluster = a_cluster()
    cluster.run("drain", "n1", "--reason", "new disks")
    assert "nothing there is touched" in cluster.run("handsoff", "n1").stdout
    assert cluster.get(Host, "n1")["spec"]["maintenance"] == {"mode": "HandsOff", "reason": "new disks"}
