"""The judge of the overlap detector sees what it must see, and nothing else."""

import pytest

from backstay_dev.show.overlap import lives, overlaps


def trace(host: str, begin_s: float, end_s: float, *, pid: int = 1, instance: str = "web-0") -> list[str]:
    ticks = int((end_s - begin_s) / 0.005) + 1
    return [f"{instance} 1 {host} {pid} {begin_s + i * 0.005:.6f}" for i in range(ticks)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(trace("n1", 1, 2) + trace("n2", 2.1, 3), 0, id="one after the other"),
        pytest.param(trace("n1", 1, 2) + trace("n2", 1.9, 3), 1, id="a tenth of a second together"),
        pytest.param(trace("n1", 1, 1.1) + trace("n1", 5, 5.1) + trace("n2", 3, 4), 1, id="frozen, replaced, thawed"),
        pytest.param(trace("n1", 1, 2) + trace("n1", 2.1, 3, pid=2), 0, id="restarted in place"),
        pytest.param(
            trace("n1", 1, 2) + trace("n1", 1.5, 3, pid=2), 1, id="two processes on one host are two copies too"
        ),
        pytest.param(
            trace("n1", 1, 9) + trace("n2", 2, 3) + trace("n3", 4, 5), 2, id="a long life meets two short ones"
        ),
        pytest.param(trace("n1", 1, 2) + trace("n2", 1, 2, instance="db-0"), 0, id="two instances are strangers"),
        pytest.param([*trace("n1", 1, 2), "web-0 1 n1"], 0, id="a torn line is passed over"),
    ],
)
def test_overlap_is_found_exactly(lines: list[str], expected: int) -> None:
    assert len(overlaps(lives(lines))) == expected
