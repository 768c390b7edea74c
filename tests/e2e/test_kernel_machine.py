"""What the hosts' kernel, which is this machine's, may not have: each story of `on_hosts/kernel_*.py`, told on Debian's own kernel in one boot.

And those stories of other files that are skipped where this machine's kernel lacks something.
"""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from backstay_dev.lab.kernel_disks import runs_here
from backstay_dev.lab.kernel_machine import Told, run
from backstay_testing.cable import ON_ANY_LINK
from backstay_testing.kernel_report import BEGUN, MARK

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(not runs_here(), reason="the kernel machine is an x86_64, and stands on such machines only"),
]

HERE = Path(__file__).parent
PARENTS = "test_an_address_lives_on_any_interface_and_through_its_blinks_without_a_default_route"
# File and parameters; none: all of them.
ELSEWHERE = {PARENTS: ("test_drivers_vip_parents.py", ("bond", "vlan", "dummy"))}
OURS = {
    part.name: (f"on_hosts/{file.name}", ())
    for file in sorted((HERE / "on_hosts").glob("kernel_*.py"))
    for part in ast.parse(file.read_text()).body
    if isinstance(part, ast.FunctionDef) and part.name.startswith("test_")
}
STORIES: Mapping[str, tuple[str, tuple[str, ...]]] = {**ELSEWHERE, **OURS}
_PYTEST = (
    "python3 -m pytest -q -p no:cacheprovider --noconftest -p backstay_testing.cable -p backstay_testing.kernel_report"
)


class Ends:
    """How the stories ended: some are told several times, with other parameters."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._by_name: dict[str, Mapping[str, str]] = {}
        for line in told.output.splitlines():
            if line.startswith(MARK):
                said = json.loads(line.removeprefix(MARK))
                self._by_name[said["story"]] = said

    def wrong(self, story: str) -> str:
        """What there is to say of it; empty if all went well."""
        ends = [end for name, end in self._by_name.items() if name.partition("[")[0] == story]
        bad = [f"{end['story']}: {end['outcome']}\n{end['text']}" for end in ends if end["outcome"] != "passed"]
        if not ends or any(end["outcome"] == BEGUN for end in ends):
            bad.append(f"Not all of it was told to its end.\n{self._told.words}")
        return "\n\n".join(bad)


def tell(stories: Sequence[str]) -> Ends:
    ids = [node for story in stories for node in _nodes(story)]
    return Ends(run(f"{_PYTEST} {shlex.join(ids)}", timeout_s=150, progress=print))


def _nodes(story: str) -> list[str]:
    file, parents = STORIES[story]
    node = f"tests/e2e/{file}::{story}"
    return [f"{node}[{parent}-{address}]" for parent in parents for address in ON_ANY_LINK] or [node]


@pytest.fixture(scope="module")
def ends(request: pytest.FixtureRequest) -> Ends:
    """One boot for all that are asked for."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    asked = [
        str(item.callspec.params["story"])
        for item in items
        if item.originalname == test_story.__name__ and item.path == Path(__file__)
    ]
    return tell(asked)


@pytest.mark.parametrize("story", STORIES)
def test_story(ends: Ends, story: str) -> None:
    if wrong := ends.wrong(story):
        pytest.fail(wrong, pytrace=False)
