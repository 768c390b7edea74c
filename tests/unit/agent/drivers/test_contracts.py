"""One list of contracts for all drivers: the fake keeps it here, in virtual time, the real ones on a host (`tests/e2e`)."""

from functools import partial

import pytest

from backstay_agent.drivers import real_drivers
from backstay_dev.simulator.virtualtime import run
from backstay_testing.driver_contracts import CONTRACTS, hold
from backstay_testing.driver_rows import ROWS, Fake

# What waits for something that never comes ends, too.
play = partial(run, limit_s=20_000)
FAKE = Fake(play)


@pytest.mark.parametrize("contract", [one for one in CONTRACTS if one not in FAKE.not_for])
def test_the_fake_keeps_what_all_drivers_keep(contract: str) -> None:
    hold(Fake(play), contract)


def test_every_driver_has_a_row() -> None:
    """Some kinds have more than one: `command without check`."""
    assert {name.partition(" ")[0] for name in ROWS} == real_drivers().keys()


@pytest.mark.parametrize("name", ["fake", *ROWS])
def test_what_does_not_apply_is_a_contract_and_has_a_reason(name: str) -> None:
    row = FAKE if name == "fake" else ROWS[name]()
    assert row.not_for.keys() <= CONTRACTS.keys() and all(row.not_for.values())
