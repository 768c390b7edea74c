"""A person's word that two copies may differ, as a table: what is written, who has what, what is decided and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_operator.planner.do.decisions import decide_in_turn
from backstay_operator.planner.judge import judges, scores
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.judge.prerequisites import acceptable, expected, judged, prerequisites_of, unmet
from backstay_operator.planner.judge.questions import Question
from backstay_operator.planner.know import accepted_drift
from backstay_operator.planner.know.accepted_drift import (
    ACCEPT_ANNOTATION,
    MOST_TEXT,
    AcceptedDrift,
    fingerprint,
    unreadable_words,
    words_of,
)
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.accepted_drift import accepted_differences
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import a_world, put, running, say_seen

CONF: Raw = {"name": "conf", "file": {"path": "/etc/web.conf"}}
A, B, C = ({"content": letter * 32, "mode": "0644"} for letter in "abc")
WHAT = "file /etc/web.conf"
LAST: Raw = {"name": "conf", "what": WHAT, "host": "n1", "facts": A}
WHEN = "2026-01-01T00:00:00Z"


def a_print(facts: Mapping[str, str], uid: str = "uid-web-0", what: str = WHAT) -> str:
    return fingerprint(uid, what, facts)


def word(**said: str) -> AcceptedDrift:
    """Of n2's B beside n1's A."""
    known = {"resource": "conf", "host": "n2", "fingerprint": a_print(B), "than": "n1", "reference": a_print(A)}
    return AcceptedDrift(**{"by": "ann", "at": WHEN, "instance": "web-0", "reason": "", **known, **said})


def service(*words: AcceptedDrift | str, last: Raw | None = None, **more: object) -> HAService:
    made = a_service("web", {**CONF, **more}, unit(), status={"lastRanWith": [last or LAST]})
    text = "\n".join(one if isinstance(one, str) else one.line for one in words)
    metadata = made.metadata.model_copy(update={"annotations": {ACCEPT_ANNOTATION: text}})
    return made.model_copy(update={"metadata": metadata})


def world(of: HAService, holder: str | None = "n1", **seen: Mapping[str, str]) -> World:
    made = a_world("n1", "n2", "n3")
    put(made, of, epoch=2, host=holder)
    for host, facts in {"n1": A, "n2": B, **seen}.items():
        say_seen(made, of, host, {"name": "conf", "facts": dict(facts)} if facts else {"name": "conf", "why": "gone"})
    return made


def verdict(made: World, of: HAService, host: str = "n2") -> str:
    found = judged(made, of, made.instances["shop/web-0"], host)
    return found[0].verdict if found else "Alike"


@pytest.mark.parametrize(
    ("of", "holder", "seen", "host", "is_so"),
    [
        pytest.param(service(word()), "n1", {}, "n2", "Accepted", id="these two"),
        pytest.param(service(word()), "n1", {"n2": C}, "n2", "Different", id="the host's copy is another"),
        pytest.param(service(word()), "n1", {"n1": C}, "n2", "Different", id="the copy where it runs is another"),
        pytest.param(service(word()), "n1", {"n2": {}}, "n2", "Missing", id="it is gone"),
        pytest.param(service(word()), "n1", {"n2": A}, "n2", "Alike", id="it has come to be alike"),
        pytest.param(service(word()), "n2", {}, "n1", "Accepted", id="the same two the other way round"),
        pytest.param(service(word()), "n3", {"n3": A}, "n2", "Accepted", id="it runs elsewhere with the same"),
        pytest.param(service(word()), "n1", {"n3": B}, "n3", "Different", id="nothing was said of n3"),
        pytest.param(service(word()), None, {}, "n2", "Accepted", id="beside what it ran well with last"),
        pytest.param(service(word(host="n3")), "n1", {}, "n2", "Different", id="of another host"),
        pytest.param(service(word(instance="web-1")), "n1", {}, "n2", "Different", id="of another copy"),
        pytest.param(service(word(resource="x")), "n1", {}, "n2", "Different", id="of another resource"),
        pytest.param(
            service(word(fingerprint=a_print(B, "gone"))), "n1", {}, "n2", "Different", id="of an instance that is gone"
        ),
        pytest.param(
            service(word(), file={"path": "/etc/b"}), "n1", {}, "n2", "Different", id="the manifest names another file"
        ),
        pytest.param(service(word(), gate="Strict"), "n1", {}, "n2", "Accepted", id="with gate Strict too"),
    ],
)
def test_it_holds_for_exactly_these_two(
    of: HAService, holder: str | None, seen: dict[str, Mapping[str, str]], host: str, is_so: str
) -> None:
    made = world(of, holder, **seen)
    assert verdict(made, of, host) == is_so
    lacks = unmet(made, of, made.instances["shop/web-0"], host)
    assert bool(lacks) is (is_so not in ("Alike", "Accepted"))
    assert all(one.blocks for one in lacks)


def test_what_is_accepted_is_as_good_as_alike_to_filters_and_scores() -> None:
    of = service(word())
    made = world(of)
    ask = Question(made, of, made.instances["shop/web-0"])
    facts = facts_of(made, "n2")
    assert judges.meets_prerequisites(ask, facts) is None and scores.fewest_unmet(ask, facts).points == 0
    older = service(word(), last={**LAST, "before": B})
    made = world(older)
    ask = Question(made, older, made.instances["shop/web-0"])
    assert judges.is_not_older(ask, facts_of(made, "n2")) is None, "what runs may be moved there too"


@pytest.mark.parametrize(
    ("of", "seen", "expects"),
    [
        pytest.param(service(word()), B, "b", id="what was accepted"),
        pytest.param(service(word()), C, "a", id="it has changed since: what is right"),
        pytest.param(service(), B, "a", id="nothing is accepted"),
    ],
)
def test_the_chosen_host_starts_with_what_was_accepted(of: HAService, seen: Mapping[str, str], expects: str) -> None:
    made = world(of, "n2", n2=seen)
    (found,) = expected(made, of, made.instances["shop/web-0"], "n2")
    assert found.facts["content"][0] == expects


def test_what_the_manifest_declares_is_no_part_of_a_fingerprint() -> None:
    declares = {"file": {"path": "/etc/web.conf", "mode": "0644"}}
    only_content = word(fingerprint=a_print({"content": B["content"]}), reference=a_print({"content": A["content"]}))
    of = service(only_content, **declares)
    assert verdict(world(of), of) == "Accepted"


ENDED = f", so what ann accepted at {WHEN} has ended"


@pytest.mark.parametrize(
    ("seen", "holder", "said", "ended"),
    [
        pytest.param({}, "n1", "", "", id="it counts"),
        pytest.param({}, "n2", "", "", id="it counts where it runs on that host"),
        pytest.param({"n2": C}, "n1", "n2 has it otherwise since", ENDED, id="the host's copy"),
        pytest.param({"n1": C}, "n1", "n1 has it otherwise since", ENDED, id="the other"),
        pytest.param({"n3": C}, "n3", "n3 has it otherwise than n1 had", ENDED, id="it runs elsewhere, with another"),
        pytest.param({"n2": {}}, "n1", "n2 lacks it, or has not said how it has it", "", id="it is gone"),
    ],
)
def test_why_it_has_ended_is_told(seen: dict[str, Mapping[str, str]], holder: str, said: str, ended: str) -> None:
    of = service(word())
    made = world(of, holder, **seen)
    _, decision = decide_in_turn(made, of)
    (told,) = accepted_differences(made, decision)
    assert told.ended == said and (told.by, told.at, told.host, told.reference) == ("ann", WHEN, "n2", a_print(A))
    if ended:
        (found,) = judged(made, of, made.instances["shop/web-0"], "n2")
        assert found.why.endswith(f"; {said}{ended}")


GONE = "no other host has it any more as n1 had"


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        pytest.param({"n1": C}, GONE, id="the other was edited"),
        pytest.param({"n1": C, "n3": A}, "", id="a third has it as that one had"),
        pytest.param({"n1": {}}, "", id="nobody has told of another"),
        pytest.param({"n1": C, "n2": C}, "n2 has it otherwise since", id="both were edited"),
    ],
)
def test_where_it_runs_on_that_host_others_are_looked_at(seen: dict[str, Mapping[str, str]], said: str) -> None:
    of = service(word())
    made = world(of, "n2", **seen)
    _, decision = decide_in_turn(made, of)
    assert [one.ended for one in accepted_differences(made, decision)] == [said]


@pytest.mark.parametrize(
    ("host", "seen", "said"),
    [
        pytest.param("n1", {"n1": C}, "n1 has it otherwise since", id="the host that it was held against"),
        pytest.param("n1", {"n1": C, "n2": A}, "n2 has it otherwise since and n1 has it otherwise since", id="both"),
        pytest.param("n3", {"n3": C}, "", id="nothing was said of it, and what was said of n1 counts"),
    ],
)
def test_a_host_beside_the_one_that_was_accepted_says_what_has_ended(
    host: str, seen: dict[str, Mapping[str, str]], said: str
) -> None:
    of = service(word())
    made = world(of, "n2", **seen)
    (found,) = judged(made, of, made.instances["shop/web-0"], host)
    assert found.blocks and found.why.endswith(f"; {said}{ENDED}" if said else "there bbbbbbbb")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (word(instance="web-7"), "there is no instance web-7"),
        (word(host="n9"), "there is no host n9"),
        (word(resource="x"), "the manifest has nothing by the name x that hosts are held against each other by"),
    ],
)
def test_what_a_word_is_about_may_be_gone(said: AcceptedDrift, why: str) -> None:
    of = service(said)
    made = a_world("n1", "n2")
    running(made, of)
    _, decision = decide_in_turn(made, of)
    assert [one.ended for one in accepted_differences(made, decision)] == [why]


@pytest.mark.parametrize("host", ["n1", "n3"])
def test_only_what_differs_and_is_there_can_be_accepted(host: str) -> None:
    of = service()
    made = world(of)
    instance, (resource,) = made.instances["shop/web-0"], prerequisites_of(of)
    ((here, there),) = acceptable(made, of, instance, resource, "n2")
    assert (here, there) == (("n2", a_print(B)), ("n1", a_print(A)))
    assert acceptable(made, of, instance, resource, host) == []


LINE = word().line


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(LINE.replace('"at"', '"by":"root","at"'), id="two names"),
        pytest.param(LINE.replace('{"by":"ann",', "{").replace("}", ',"by":"ann"}'), id="another order"),
        pytest.param(LINE.replace("}", ',"x":""}'), id="a field more"),
        pytest.param(LINE.replace(',"reason":""', ""), id="a field less"),
        pytest.param(LINE.replace('"reason":""', '"reason":1'), id="a number"),
        pytest.param(LINE.replace('"reason":""', f'"reason":"{"x" * 1001}"'), id="too long"),
        pytest.param(LINE.replace("ann", "\\u0061nn"), id="another spelling"),
        pytest.param(f" {LINE}", id="a blank in front"),
        pytest.param("[" * 10_000, id="lists without end"),
        pytest.param("[]", id="a list"),
        pytest.param("ann", id="no JSON"),
        pytest.param(word(at="\x1b[2J" + WHEN).line, id="a time that clears the screen"),
        pytest.param(word(at="yesterday").line, id="no time"),
        pytest.param(word(fingerprint="B" * 32).line, id="no fingerprint"),
        pytest.param(word(reference=a_print(A)[:31]).line, id="a fingerprint that is too short"),
        pytest.param(word(reference=a_print(A) + "\n").line, id="a fingerprint and a line more"),
        *(pytest.param(word(**{name: "a b"}).line, id=name) for name in ("instance", "resource", "host", "than")),
        pytest.param(word(host="n" * 254).line, id="too long for a name"),
        pytest.param(word(reason="\x1b]0;x\x07").line, id="a reason that is no text"),
        pytest.param(word(reason="a\u202eb").line, id="a reason that runs backwards"),
    ],
)
def test_a_line_that_is_not_written_exactly_so_counts_for_nothing_and_stops_no_other(line: str) -> None:
    of = service(line)
    assert verdict(world(of), of) == "Different"
    assert unreadable_words(of) == [
        f"line 1 of the annotation {ACCEPT_ANNOTATION} cannot be read, and counts for nothing; use `backstay accept`"
    ]
    both = service(line, word())
    assert verdict(world(both), both) == "Accepted" and words_of(both) == [word()]


def test_odd_names_are_read_as_they_are_written() -> None:
    odd = word(by='x","by":"root', reason="\\ é \"'")
    assert words_of(service(odd)) == [odd] and odd.line.startswith('{"by":"x\\",\\"by\\":\\"root",')


def test_of_too_many_lines_the_first_count() -> None:
    of = service(*(word(host=f"m{number}") for number in range(32)), word())
    assert verdict(world(of), of) == "Different"
    assert unreadable_words(of) == [f"of the annotation {ACCEPT_ANNOTATION} only 32 lines count"]


def test_copies_of_one_line_are_one_and_empty_lines_none() -> None:
    of = service(*([word(host="m1")] * 40), *([""] * 40), word())
    assert verdict(world(of), of) == "Accepted" and words_of(of) == [word(host="m1"), word()]
    assert unreadable_words(of) == []
    (said,) = unreadable_words(service(word(), word(), "", "x", "x"))
    assert said.startswith("line 4 of"), "as a person counts them"


@pytest.mark.parametrize("filler", ["\n", "x"])
def test_an_annotation_that_is_too_long_counts_for_nothing_and_says_so(filler: str) -> None:
    fits = service(word(), filler * (MOST_TEXT - 1 - len(LINE)))
    assert verdict(world(fits), fits) == "Accepted"
    of = service(word(), filler * (MOST_TEXT - len(LINE)))
    assert verdict(world(of), of) == "Different" and words_of(of) == []
    assert unreadable_words(of) == [
        f"the annotation {ACCEPT_ANNOTATION} is longer than 65536 characters, and nothing in it counts;"
        f" take it away with `kubectl annotate haservice NAME {ACCEPT_ANNOTATION}-`, and use `backstay accept`"
    ]


def test_one_text_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[int]()
    really = accepted_drift._read_line

    def counted(number: int, line: str) -> AcceptedDrift | str:
        read.append(number)
        return really(number, line)

    monkeypatch.setattr(accepted_drift, "_read_line", counted)
    of = service(word(by="once", reason=f"{WHEN} once"), word(host="m1"))
    for _ in range(3):
        assert len(words_of(of)) == 2 and unreadable_words(service(*words_of(of))) == []
    assert read == [1, 2]
