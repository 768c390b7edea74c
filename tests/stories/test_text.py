"""The stories of `text/`, lived through again. `--rewrite` records what is so now: read the difference before you commit it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from backstay_testing.story_texts import HEAD, told_again

FOLDER = Path(__file__).with_name("text")


@dataclass(frozen=True)
class Story:
    """One story of a file, from its head to the next one's."""

    path: Path
    text: str

    @property
    def title(self) -> str:
        return self.text.splitlines()[0].removeprefix(HEAD)


def stories() -> Iterator[Story]:
    for path in sorted(FOLDER.glob("*.txt")):
        parts = re.split(f"^(?={HEAD})", path.read_text(), flags=re.MULTILINE)
        yield from (Story(path, part) for part in parts if part.startswith(HEAD))


@pytest.mark.parametrize("story", list(stories()), ids=lambda story: story.title)
def test_it_goes_as_recorded(story: Story, request: pytest.FixtureRequest) -> None:
    text = told_again(story.text)
    if request.config.getoption("--rewrite"):
        story.path.write_text(story.path.read_text().replace(story.text, text))
        return
    difference = difflib.unified_diff(story.text.splitlines(), text.splitlines(), "recorded", "now", lineterm="")
    assert text == story.text, "\n".join(difference)


def test_there_are_stories_and_each_has_a_title_of_its_own() -> None:
    titles = [story.title for story in stories()]
    assert len(titles) > 20 and len(set(titles)) == len(titles)
