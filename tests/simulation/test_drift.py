"""A file that is edited on one host, copied, and moved away, under faults: the judge has something to judge, and finds nothing."""

import random

import pytest

from backstay_dev.simulator.profiles import draw
from backstay_dev.simulator.run import run_seed


@pytest.mark.parametrize("seed", [1, 2])
def test_what_differs_is_granted_nothing_and_all_stand_by_when_it_is_copied(seed: int) -> None:
    result = run_seed(seed, "drift")
    assert result.accusations == ()
    assert sum("/etc/conf.conf is now" in line for line in result.story) > 5


def test_no_other_profile_draws_it() -> None:
    """So its story stays what it was: no service of it needs a file, and nobody edits one."""
    for profile in ("swarm", "modes", "people"):
        drawn = draw(profile, 1, random.Random("chaos 1"))
        assert not any(service.needs for service in drawn.shape.services)
        assert not {"edit_file", "copy_file"} & drawn.fault_rates.weights.keys()
