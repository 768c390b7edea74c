"""The stories of `text/`, lived through again. `--rewrite` records what is so now: read the difference before you commit it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstay_testing.recorded import Recorded, recorded_in
from backstay_testing.story_texts import told_again

STORIES = list(recorded_in(Path(__file__).with_name("text")))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.title)
def test_it_goes_as_recorded(story: Recorded, request: pytest.FixtureRequest) -> None:
    story.check(told_again, rewrite=request.config.getoption("--rewrite"))


def test_there_are_stories_and_each_has_a_title_of_its_own() -> None:
    titles = [story.title for story in STORIES]
    assert len(titles) > 20 and len(set(titles)) == len(titles)
