"""The simulator's judge of services of several copies: what runs on a host is the copy that was told to."""

from typing import Any

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_dev.simulator.copywatch import CopyWatch

SESSION = {"bootID": "boot-1", "nonce": "a"}
UNIT = {"n3": {"unit db.service"}}


def told(**wants: str) -> Change:
    """What n3 is told of copies of db: by name with _ for -, what is wanted."""
    orders = {
        f"uid-{name}": {"name": name.replace("_", "-"), "service": "db", "want": want, "epoch": 2, "session": SESSION}
        for name, want in wants.items()
    }
    body: dict[str, Any] = {"spec": {"instances": orders}, "status": {"session": SESSION}}
    return Change(1, EventType.MODIFIED, "hostassignments", ("", "n3"), body, None, "operator")


def test_what_runs_there_is_the_copy_that_was_told_to_and_no_other_that_is_granted_to_the_same_host() -> None:
    said: list[str] = []
    watch = CopyWatch(said.append, lambda service: True)
    watch.note_assignment(told(db_1="Up"))
    watch.note("db", "n3", UNIT, is_exclusive=True)
    watch.note_assignment(told(db_1="Up", db_0="Down"))
    assert watch.places("db", "db-1", {"db": UNIT}) == UNIT
    assert watch.places("db", "db-0", {"db": UNIT}) == {}
    assert said == []


def test_a_host_that_is_told_to_run_two_copies_is_accused() -> None:
    said: list[str] = []
    CopyWatch(said.append, lambda service: True).note_assignment(told(db_1="Up", db_0="Up"))
    assert said == ["n3 is told to run db-0 and db-1 at once"]


def test_one_copy_on_two_hosts_is_accused() -> None:
    said: list[str] = []
    watch = CopyWatch(said.append, lambda service: True)
    watch.note_assignment(told(db_1="Up"))
    watch.told["db", "n2"] = "db-1"
    watch.note("db", "n3", UNIT, is_exclusive=True)
    watch.note("db", "n2", {**UNIT, "n2": {"unit db.service"}}, is_exclusive=True)
    assert said == ["TWO ACTIVE COPIES of db-1: on n2 and n3"]
