"""The text of a draft: today's release accepts it, whatever stands in the survey; and what it is compared with."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from backstay_api.objects.models import HAService
from backstay_api.objects.resource_kinds import kinds_in
from backstay_api.objects.survey import parse_survey, survey_text
from backstay_cli.discover import remarks_of, resources_of
from backstay_cli.drafting.comparison import compared
from backstay_cli.drafting.draft import draft, flow
from backstay_cli.drafting.needs import Confidence, Need
from backstay_cli.drafting.recipes import Baseline
from backstay_cli.drafting.rules import needs_of
from backstay_operator.planner.judge.acceptance import Accepted
from backstay_operator.planner.judge.unsupported import first_unsupported
from backstay_testing.acceptance import judged
from backstay_testing.surveys import a_path, a_survey

LEAVES = st.text(max_size=12) | st.integers(-9, 9) | st.booleans()
VALUES = st.recursive(
    LEAVES,
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.from_regex("[a-z]{1,5}", fullmatch=True), each, max_size=3)
    ),
)
NASTY = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30) | st.sampled_from(
    ["\n    - {name: x}", "# later: {", "}: - [", "'\"", "%YAML 2", "\u2028a"]
)


@settings(max_examples=100)
@given(VALUES)
def test_one_line_of_yaml_means_what_it_was_made_of(value: Any) -> None:
    assert yaml.safe_load(flow({"x": value})) == {"x": value}


@settings(max_examples=50)
@given(st.lists(NASTY, min_size=3, max_size=3))
def test_nothing_in_a_survey_can_add_a_resource_or_spoil_the_draft(texts: list[str]) -> None:
    path, where, host = texts
    survey = parse_survey(
        survey_text(
            a_survey(
                a_path(f"/etc/default/{path}", "Environment", where), a_path(f"/opt/a/{path}", "Executed", where, where)
            )
        )
    )
    text = draft(survey, needs_of(survey, (), Baseline()))
    manifest = HAService.model_validate(yaml.safe_load(text))
    kinds = [next(kind.wire for kind, _ in kinds_in([one])) for one in manifest.spec.resources]
    first: tuple[list[str], ...] = (["path"], ["file"], ["path", "file"], ["file", "file"], [])
    assert kinds in ([*some, "setting", "systemd"] for some in first), kinds
    assert first_unsupported(manifest) == "" and isinstance(judged(manifest), Accepted)
    assert host in texts


SERVER = Need("systemd", {"unit": "a.service"}, "server", "asked", strategy="Move", number=1)
PACKAGE = Need("package", {"name": "a", "with": ["b"]}, "software", "runs", number=7)
FILE = Need("file", {"path": "/etc/a/b"}, "b", "read", covers=("/etc/a/b",), number=15)
ADDRESS = Need("virtualIP", {"address": "192.0.2.1/24"}, "address", "clients", strategy="Undecided", number=26)
GUESS = Need("file", {"path": "/x"}, "x", "by its place", Confidence.MAYBE, covers=("/x",), number=15)
ALL = (SERVER, PACKAGE, FILE, ADDRESS, GUESS)


def test_what_is_not_carried_out_stands_in_comments_that_are_resources() -> None:
    text = draft(a_survey(), ALL)
    assert [one["name"] for one in resources_of(text) or []] == ["software", "b", "server"]
    assert [one["name"] for one in remarks_of(text)] == ["software-with", "x", "address"]
    assert [
        line.split(":")[0].strip() for line in text.splitlines() if line.startswith("    # ") and ": {" in line
    ] == ["# later", "# maybe", "# DECIDE"]


@pytest.mark.parametrize(
    ("manifest", "undeclared"),
    [
        pytest.param("", ["package", "file", "systemd", "virtualIP"], id="nothing"),
        pytest.param(
            "    # later: {name: s, package: {name: other, with: [a]}}",
            ["file", "systemd", "virtualIP"],
            id="a package on the list of another",
        ),
        pytest.param(
            "    # later: {name: s, path: {path: /etc/a}}",
            ["package", "systemd", "virtualIP"],
            id="a folder above the file",
        ),
        pytest.param(
            "    # not needed: {name: s, file: {path: /etc/a/b}}",
            ["package", "systemd", "virtualIP"],
            id="somebody has decided",
        ),
        pytest.param(
            "    - {name: s, virtualIP: {address: 198.51.100.9/24}}",
            ["package", "file", "systemd"],
            id="another address",
        ),
        pytest.param(
            "    # later: {name: s, path: {path: /etc/a",
            ["package", "file", "systemd", "virtualIP"],
            id="a comment that is no resource any more",
        ),
    ],
)
def test_what_a_manifest_lacks(manifest: str, undeclared: list[str]) -> None:
    text = f"kind: HAService\nspec:\n  resources:\n    - {{name: other, command: {{start: [/bin/true]}}}}\n{manifest}\n"
    found = compared(ALL, resources_of(text) or [], remarks_of(text))
    assert sorted(need.kind for need in found.undeclared) == sorted(undeclared)


def test_what_a_manifest_has_and_nobody_uses_is_told_of_units_and_mounts() -> None:
    held = [
        {"name": "a", "systemd": {"unit": "a.service"}},
        {"name": "b", "systemd": {"unit": "b.service"}},
        {"name": "c", "mount": {"path": "/srv"}},
        {"name": "d", "virtualIP": {}},
    ]
    assert compared(ALL, held, ()).unused == ("systemd b.service", "mount /srv")


@pytest.mark.parametrize("path", ["/etc/shadow", "/root/.pgpass", "/run/a", "/etc/a\nb", "/etc/../a"])
def test_a_file_that_no_host_looks_at_is_no_resource(path: str) -> None:
    need = Need("file", {"path": path}, "x", "read", consistency="Exact")
    assert resources_of(draft(a_survey(), [need, SERVER])) == [{"name": "server", "systemd": {"unit": "a.service"}}]
