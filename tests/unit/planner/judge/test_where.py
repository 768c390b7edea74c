"""How two hosts' answers lead to the first file and line in which their copies differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstay_agent.drivers.base import AskedParts, Parts
from backstay_agent.drivers.tools.parts import digests, of_lines
from backstay_api.objects.bounds import MOST_QUESTIONS
from backstay_api.objects.models import HostAssignment
from backstay_api.objects.models.prerequisites import CopyQuestion
from backstay_operator.planner.judge.where import Pair, first_difference, next_questions
from backstay_operator.planner.know.fitting import fitted_questions
from backstay_operator.planner.know.world import World
from backstay_testing.worlds import a_world

KEY = b"k" * 32
FACTS = ({"content": "a" * 32}, {"content": "b" * 32})
PAIR = Pair("uid-web", "conf", "n2", "n1", FACTS)
Files = Mapping[str, tuple[str, bytes]]
"""By path below the folder: mode and content; a folder has the content `/`."""


def say(world: World, host: str, **news: object) -> None:
    raw = world.assignments[host].wire()
    parts = {
        part: {**raw.get(part, {}), **{k: v for k, v in news.items() if (k == "questions") is (part == "spec")}}
        for part in ("spec", "status")
    }
    world.put_assignment(HostAssignment.from_wire({**raw, **parts}))


def of_text(text: bytes, asked: AskedParts) -> Parts:
    if b"\0" in text:
        return Parts("it is no text", facts={"path": "/etc/a"})
    return of_lines("/etc/a", text.split(b"\n"), asked, KEY, shows_words=True)


def of_files(files: Files, asked: AskedParts) -> Parts:
    if asked.below:
        return of_text(files[asked.below][1], asked)
    entries = sorted(files, key=lambda path: path.split("/"))
    lines = [repr((path, files[path])).encode() for path in entries]
    facts = {}
    if not asked.each and asked.first < len(entries):
        path = entries[asked.first]
        mode, content = files[path]
        kind = "folder" if content == b"/" else "file"
        facts = {"path": f"/etc/a/{path}", "below": path, "type": kind, "mode": mode, "owner": "root", "group": "root"}
    return Parts(count=len(lines), digests=digests(lines, asked, KEY), facts=facts)


def asked_of(world: World, *, begins: bool = True) -> dict[str, CopyQuestion]:
    return dict(next_questions(world, PAIR, begins=begins))


def found(here: bytes | Files, there: bytes | Files) -> tuple[str, int]:
    """What is told in the end, and after how many questions to each."""
    world = a_world("n1", "n2")
    for host, key in (("n1", "1" * 64), ("n2", "2" * 64)):
        say(world, host, exchangeKey=key)
    rounds, last = 0, ""
    while (asked := asked_of(world)) and asked["n2"].id != last:
        rounds, last = rounds + 1, asked["n2"].id
        assert asked["n1"].id == last and [asked[host].key[0] for host in ("n1", "n2")] == ["2", "1"]
        for host, copy in (("n1", there), ("n2", here)):
            one = asked[host]
            step = AskedParts(one.below, one.first, one.each)
            said = of_text(copy, step) if isinstance(copy, bytes) else of_files(copy, step)
            answer = {
                "id": last,
                "why": said.why,
                "count": said.count,
                "digests": said.digests,
                "facts": dict(said.facts),
            }
            say(world, host, questions=[one.wire()], answers=[answer])
    return first_difference(world, PAIR), rounds


def numbered(count: int, **edits: bytes) -> bytes:
    return b"\n".join(edits.get(f"n{number}", b"name_%d value" % number) for number in range(1, count + 1))


LINE = "file /etc/a line {} is not as on n1"


@pytest.mark.parametrize(
    ("here", "there", "says", "rounds"),
    [
        pytest.param(b"a 1\nb 2", b"a 1\nb 3", LINE.format("2 (b)"), 2, id="a line"),
        pytest.param(b"a 1\nb 2", b"a 1", LINE.format("2 (b)"), 2, id="a line more"),
        pytest.param(b"a 1", b"a 1\nb 2", LINE.format("2 (b)"), 2, id="a line less: its word as it is there"),
        pytest.param(b"a 1\n\nb 2", b"a 1\nb 2", LINE.format("2 (b)"), 2, id="a line in between"),
        pytest.param(b"hunter2", b"hunter3", LINE.format("1"), 2, id="without a word"),
        pytest.param(numbered(256, n256=b"x y"), numbered(256), LINE.format("256 (x)"), 2, id="the last of a group"),
        pytest.param(numbered(257, n257=b"x y"), numbered(257), LINE.format("257 (x)"), 4, id="the first of the next"),
        pytest.param(
            numbered(60_000, n59999=b"x y"), numbered(60_000), LINE.format("59999 (x)"), 4, id="of a long one"
        ),
        pytest.param(b"\n" * 70_000 + b"a 1", b"\n" * 70_000 + b"a 2", "", 2, id="too long"),
        pytest.param(b"a\0", b"b\0", "", 1, id="no text"),
        pytest.param(b"a\0", b"b", "", 1, id="no text on one of them"),
        pytest.param(b"a", b"a", "", 1, id="alike by now"),
    ],
)
def test_of_a_file_the_first_line_is_found(here: bytes, there: bytes, says: str, rounds: int) -> None:
    assert found(here, there) == (says, rounds)


FILES: Files = {"a": ("0755", b"/"), "a/x": ("0644", b"one 1\ntwo 2"), "a.b": ("0644", b"x"), "b": ("0600", b"y")}


@pytest.mark.parametrize(
    ("change", "says", "rounds"),
    [
        pytest.param({"a/x": ("0644", b"one 1\ntwo 3")}, "file /etc/a line 2 (two) is not as on n1", 4, id="a line"),
        pytest.param({"b": ("0644", b"y")}, "file /etc/a/b is not as on n1: mode is 0644 and there 0600", 2, id="mode"),
        pytest.param(
            {"a": ("0700", b"/")}, "folder /etc/a/a is not as on n1: mode is 0700 and there 0755", 2, id="folder"
        ),
        pytest.param({"a/y": ("0644", b"")}, "file /etc/a/a/y is not on n1", 2, id="one more"),
        pytest.param({"c": ("0644", b"")}, "file /etc/a/c is not on n1", 2, id="one more at the end"),
        pytest.param({"a.b": None}, "file /etc/a/a.b is not there, and is on n1", 2, id="one less"),
        pytest.param({"b": None}, "file /etc/a/b is not there, and is on n1", 2, id="one less at the end"),
        pytest.param({"b": ("0600", b"z\0")}, "file /etc/a is not as on n1", 3, id="no text"),
    ],
)
def test_of_a_folder_the_first_entry_is_found_and_its_first_line(
    change: Mapping[str, tuple[str, bytes] | None], says: str, rounds: int
) -> None:
    here = {path: one for path, one in {**FILES, **change}.items() if one is not None}
    assert found(here, FILES) == (says, rounds)


@pytest.mark.parametrize("facts", [{}, {"line": "4"}, {"type": "file"}])
def test_an_answer_that_says_less_than_it_should_tells_nothing(facts: dict[str, str]) -> None:
    """Both copies have become shorter since their digests differed, or an agent is not as ours."""
    world = a_world("n1", "n2")
    for host, key in (("n1", "1" * 64), ("n2", "2" * 64)):
        say(world, host, exchangeKey=key)
    steps = []
    for _ in range(2):
        for host, one in asked_of(world).items():
            news = {"count": 1, "digests": host[-1] * 8} if one.each else {"facts": facts}
            say(world, host, questions=[one.wire()], answers=[{"id": one.id, **news}])
            steps.append(one.each)
    assert steps == [1, 1, 0, 0]
    assert first_difference(world, PAIR) == ""


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([b"a 1", b"b", b""]), max_size=600),
    st.lists(st.sampled_from([b"a 1", b"b"]), max_size=600),
)
def test_a_difference_is_found_in_a_few_steps(here: Sequence[bytes], there: Sequence[bytes]) -> None:
    one, other = (b"\n".join(lines).split(b"\n") for lines in (here, there))
    both = enumerate(zip(one, other, strict=False), 1)
    first = next((number for number, (mine, theirs) in both if mine != theirs), min(len(one), len(other)) + 1)
    says, rounds = found(b"\n".join(here), b"\n".join(there))
    assert rounds <= 4
    assert says.startswith(f"file /etc/a line {first} ") if one != other else says == ""


def test_nothing_is_asked_of_an_agent_that_has_no_key_nor_where_nobody_runs_it() -> None:
    world = a_world("n1", "n2")
    say(world, "n1", exchangeKey="1" * 64)
    assert asked_of(world) == {}
    say(world, "n2", exchangeKey="2" * 64)
    assert asked_of(world, begins=False) == {} and asked_of(world).keys() == {"n1", "n2"}


@pytest.mark.parametrize("news", [{"exchangeKey": "3" * 64}, {"answers": []}], ids=["another key", "no answer"])
def test_what_was_found_out_about_other_copies_or_with_another_key_counts_for_nothing(news: dict[str, object]) -> None:
    world = a_world("n1", "n2")
    for host, key in (("n1", "1" * 64), ("n2", "2" * 64)):
        say(world, host, exchangeKey=key)
    for _ in range(2):
        for host, one in asked_of(world).items():
            said = of_text(b"a 1" if host == "n1" else b"a 2", AskedParts(one.below, one.first, one.each))
            answer = {"id": one.id, "count": said.count, "digests": said.digests, "facts": dict(said.facts)}
            say(world, host, questions=[one.wire()], answers=[answer])
    assert first_difference(world, PAIR) == LINE.format("1 (a)")
    assert first_difference(world, Pair("uid-web", "conf", "n2", "n1", (FACTS[0], FACTS[0]))) == ""
    assert asked_of(world, begins=False)["n1"].each == 0, "what has been found out is kept while nobody runs it"
    say(world, "n1", **news)
    assert first_difference(world, PAIR) == ""


def test_of_too_many_questions_those_are_kept_that_have_been_begun() -> None:
    def one(name: str, number: int = 0) -> CopyQuestion:
        return CopyQuestion(id=f"{number:016x}", uid="uid", name=name, host="n2", key="0" * 64)

    many = [one(f"r{number:02}") for number in range(20)]
    kept = fitted_questions([one("r19", 1)], many)
    assert [each.name for each in kept] == [*(f"r{number:02}" for number in range(MOST_QUESTIONS - 1)), "r19"]
