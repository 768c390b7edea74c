"""What the hosts' kernel, which is this machine's, may not have: each story of `on_hosts/kernel_*.py`, told on Debian's own kernel in one boot.

And those stories of other files that are skipped where this machine's kernel lacks something.
"""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from kernel_report import MARK

from backstay_dev.lab.kernel_disks import runs_here
from backstay_dev.lab.kernel_machine import Told, run

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(not runs_here(), reason="the kernel machine is an x86_64, and stands on such machines only"),
]

HERE = Path(__file__).parent
ELSEWHERE = {
    "test_an_address_lives_on_any_interface_and_through_its_blinks_without_a_default_route": "test_drivers_vip_parents.py"
}
STORIES = ELSEWHERE | {
    part.name: f"on_hosts/{file.name}"
    for file in sorted((HERE / "on_hosts").glob("kernel_*.py"))
    for part in ast.parse(file.read_text()).body
    if isinstance(part, ast.FunctionDef) and part.name.startswith("test_")
}
_PYTEST = "python3 -m pytest -q -p no:cacheprovider --noconftest -p backstay_testing.cable -p kernel_report"


class Ends:
    """How the stories ended, by function: some are told several times, with other parameters."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._by_story: dict[str, list[Mapping[str, str]]] = defaultdict(list)
        for line in told.output.splitlines():
            if line.startswith(MARK):
                end = json.loads(line.removeprefix(MARK))
                self._by_story[end["story"].partition("[")[0]].append(end)

    def wrong(self, story: str) -> str:
        """What there is to say of it; empty if all went well."""
        ends = self._by_story[story]
        if not ends:
            return f"It was not told to its end.\n{self._told.words}"
        bad = [f"{end['story']}: {end['outcome']}\n{end['text']}" for end in ends if end["outcome"] != "passed"]
        return "\n\n".join(bad)


def tell(stories: Sequence[str]) -> Ends:
    wanted = " ".join(f"tests/e2e/{STORIES[story]}::{story}" for story in stories)
    return Ends(run(f"{_PYTEST} {wanted}", timeout_s=150, progress=print))


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
