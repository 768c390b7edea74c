"""The words of code and documents: each of the glossary is used, and none that only we would understand."""

import re
import subprocess

import pytest

from backstay_dev.modules import ROOTS
from backstay_testing.documents import DOCUMENTS, ROOT, name_of

GLOSSARY = (ROOT / "docs/glossary.md").read_text().partition("## Words that we do not use")[0]
DEFINED = re.findall(r"^\| ([a-z ]+) \|", GLOSSARY, re.MULTILINE)


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    assert len(DEFINED) > 30 and sorted(set(DEFINED)) == DEFINED


@pytest.mark.parametrize("word", DEFINED)
def test_a_word_of_the_glossary_is_used_by_code_and_documents(word: str) -> None:
    """As it is or bent: a word that nobody uses is one too many to learn."""
    bent = re.compile(rf"(?<![A-Za-z]){word.replace(' ', '[ _]')}(?:s|d|es|ed|ing)?(?![a-z])", re.IGNORECASE)
    code = (path for room in ROOTS for path in (ROOT / room).rglob("*.py") if "backstay_dev" not in path.parts)
    told = (path for path in DOCUMENTS if path.name not in ("glossary.md", "next.md"))
    assert any(bent.search(path.read_text()) for path in code) and any(bent.search(path.read_text()) for path in told)


# Words of an early private language, as words of a sentence and as parts of a name (`stop_strays`, `FakeHands`); `HandsOff` is ours.
PRIVATE_WORDS = (
    *("ghosts?", "soups?", "speechless", "unblemished", "theatres?", "reckless", "manieth", "ears?", "deaf", "deafness", "hears?"),
    *("heard", "hearing", "unheard", "strays?", "senses", "bells?", "mouths?", "spoken", "amiss", "witness(?:es)?"),
)  # fmt: skip
PRIVATE = re.compile(
    "|".join(f"(?:(?<![A-Za-z]){word}|{word.capitalize()})(?![a-z])" for word in PRIVATE_WORDS)
    + "|Hands(?! ?[Oo]ff)|silent since|state shall be|the epoch before ended|not by us|of an earlier time is|no dice|monitor's eye"
)


def test_nobody_uses_a_word_that_only_we_would_understand() -> None:
    told = ("docs/glossary.md", "CHANGELOG.md", "tests/unit/house/test_words.py", "newsfragments/")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    files = [ROOT / path for path in tracked if path.endswith((".py", ".md", ".cpp")) and not path.startswith(told)]
    said = {name_of(path): PRIVATE.findall(f"{name_of(path)} {path.read_text()}") for path in files if path.exists()}
    assert {name: found for name, found in said.items() if found} == {}


@pytest.mark.parametrize(
    "text",
    [
        "stop_strays",
        "FakeHands",
        "an ear",
        "Ears",
        "it hears",
        "n1 is silent since 4 s",
        "_heard_s",
        "it is amiss",
        "rolls no dice",
    ],
)
def test_a_private_word_would_be_found(text: str) -> None:
    assert PRIVATE.search(text)


@pytest.mark.parametrize(
    "text", ["HandsOff", "hands_off", "Hands off", "early years", "bearer", "by hand", "a shearing"]
)
def test_a_plain_word_is_left_alone(text: str) -> None:
    assert not PRIVATE.search(text)
