"""The control run's reconciler is unsafe in exactly one way: silence is enough for it."""

from backstay_dev.show.unsafe_reconciler import Unsafe


def test_it_stays_while_its_host_renews_and_leaves_without_proof_when_it_is_not() -> None:
    started: list[str] = []
    unsafe = Unsafe(["n1", "n2"], started.append)
    unsafe.look({"n1": "1", "n2": "1"}, 10.0)
    unsafe.look({"n1": "2", "n2": "2"}, 11.0)
    assert started == ["n1"]
    unsafe.look({"n1": "2", "n2": "3"}, 12.0)
    assert started == ["n1"]
    unsafe.look({"n1": "2", "n2": "4"}, 12.6)
    assert started == ["n1", "n2"]
