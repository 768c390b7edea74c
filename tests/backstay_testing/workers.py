"""Which test files one pytest worker runs, in `make test`'s two workers with labs of their own (`--dist loadfile`)."""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling

# By the begin of a file's name; others are each by themselves. The audit looks at what the faults made everybody ask for, so it stays with
# them; the cases are cut so that two workers end at about the same time.
TOGETHER: Final = {
    "test_faults_": "faults",
    "test_zz_": "faults",
    "test_cases_units": "cases of units",
    "test_cases_addresses": "cases of units",
    "test_cases_checks": "cases of units",
    "test_cases_": "other cases",
}


def group_of(nodeid: str) -> str:
    """The file, or what it belongs to."""
    path = nodeid.partition("::")[0]
    name = path.rpartition("/")[2]
    return next((group for begin, group in TOGETHER.items() if name.startswith(begin)), path)


class Workers(LoadFileScheduling):
    """Like `loadfile`, with the files of a group as one. (pytest-xdist's own groups do not work with this pytest: it keeps ids elsewhere.)"""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
