"""Broken variants of our own code are found: the quick ones here, all of them by `make mutants`."""

from dataclasses import replace

import pytest

from backstay_dev.mutants.catalogue import MUTANTS
from backstay_dev.mutants.judge import judge, misfits
from backstay_dev.mutants.kinds import ROOT, Mutant, one
from backstay_dev.mutants.known import known


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.is_quick], ids=lambda each: each.sentence)
def test_a_broken_variant_of_our_own_code_is_found(mutant: Mutant) -> None:
    assert judge(mutant, last_found_by=known().get(mutant.sentence, "")).found_by, "nothing found it"


def test_every_mutant_still_fits_the_code() -> None:
    assert [sentence for mutant in MUTANTS for sentence in misfits(mutant)] == []


def test_every_sentence_is_bent_by_one_mutant_only_and_there_are_many() -> None:
    assert len(MUTANTS) >= 60 and len({mutant.sentence for mutant in MUTANTS}) == len(MUTANTS)


def test_what_is_recorded_as_the_finder_of_a_mutant_is_there() -> None:
    """After a mutant has come, gone or moved: `make mutants` by `python -m backstay_dev.mutants --record --only …`."""
    found = known()
    assert [sentence for sentence in found if sentence not in {mutant.sentence for mutant in MUTANTS}] == []
    files = {finder.partition("::")[0] for finder in found.values() if not finder.startswith("simulator ")}
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []


def test_what_found_it_last_is_tried_first_and_then_the_nets() -> None:
    broken = one(
        "nothing is silent",
        "crds/backstay_api/objects/promise.py",
        "SILENT_RENEWALS: Final = 3.0",
        "SILENT_RENEWALS: Final = 9.0",
    )
    test = "tests/unit/planner/know/test_liveness.py"
    finder = judge(replace(broken, killers=(test,)), last_found_by=f"{test}::test_that_was_renamed").found_by
    assert finder.startswith(f"{test}::test_")
    assert judge(broken, last_found_by=finder).found_by == finder
    assert judge(broken).found_by == ""


def test_what_changes_nothing_is_found_by_nothing() -> None:
    """Or a net that always speaks would be green as well."""
    harmless = one(
        "nothing",
        "operator/backstay_operator/planner/know/liveness.py",
        '"""It renewed not long ago."""',
        '"""It renewed lately."""',
        "tests/unit/planner/know/test_liveness.py",
        "sim:moves:2",
    )
    assert judge(harmless).found_by == ""
