"""The control run's reconciler is reckless in exactly one way: silence is enough for it."""

from backstay_dev.show.unsafe_reconciler import Reckless


def test_it_stays_while_its_host_is_heard_and_leaves_without_proof_when_it_is_not() -> None:
    started: list[str] = []
    reckless = Reckless(["n1", "n2"], started.append)
    reckless.look({"n1": "1", "n2": "1"}, 10.0)
    reckless.look({"n1": "2", "n2": "2"}, 11.0)
    assert started == ["n1"]
    reckless.look({"n1": "2", "n2": "3"}, 12.0)
    assert started == ["n1"]
    reckless.look({"n1": "2", "n2": "4"}, 12.6)
    assert started == ["n1", "n2"]
