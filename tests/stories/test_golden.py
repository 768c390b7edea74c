"""Services whose needs are known (`tests/golden`): of each, a survey that was recorded on a host, and the draft that comes of it, as text.

`--rewrite` writes the drafts anew: read the difference before you commit it. A survey is recorded by running `install.sh` on a host that has
the Debian package, and then `backstay-agent survey`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_api.objects.models import HAService
from backstay_api.objects.survey import parse_survey
from backstay_cli.discover import recipes, remarks_of, resources_of, shipped_baseline
from backstay_cli.drafting.comparison import compared
from backstay_cli.drafting.draft import draft, flow, in_order
from backstay_cli.drafting.needs import Confidence, Need
from backstay_cli.drafting.rules import needs_of
from backstay_cli.drafting.writing import Unwritable, added
from backstay_operator.planner.judge.acceptance import Accepted
from backstay_operator.planner.judge.unsupported import first_unsupported
from backstay_testing.acceptance import judged

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SERVICES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


def needs(service: str) -> tuple[Need, ...]:
    return needs_of(parse_survey((GOLDEN / service / "survey.json").read_text()), recipes(), shipped_baseline())


def text(service: str) -> str:
    return draft(parse_survey((GOLDEN / service / "survey.json").read_text()), needs(service))


def wanted(service: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((GOLDEN / service / "needs.yaml").read_text())
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_the_draft_is_as_recorded(service: str, request: pytest.FixtureRequest) -> None:
    expected = GOLDEN / service / "draft.yaml"
    if request.config.getoption("--rewrite"):
        expected.write_text(text(service))
    assert text(service) == expected.read_text()


def is_in(entry: dict[str, Any], found: tuple[Need, ...]) -> bool:
    ((kind, spec),) = entry["need"].items()
    return any(
        _is(need, kind, spec) and entry.get("says", "") in need.why
        for need in found
        if need.confidence > Confidence.MAYBE
    )


def _is(need: Need, kind: str, spec: dict[str, Any]) -> bool:
    if kind == "package" and need.kind == kind and spec["name"] in need.spec.get("with", []):
        return True
    return need.kind == kind and all(need.spec.get(name) == value for name, value in spec.items())


@pytest.mark.parametrize("service", SERVICES)
def test_every_need_is_found_and_says_where_it_is_seen(service: str) -> None:
    found = needs(service)
    assert [entry for entry in wanted(service)["needs"] if not is_in(entry, found)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_of_what_is_drafted_four_of_five_are_needs(service: str) -> None:
    drafted = [need for need in needs(service) if not need.is_left_out and need.confidence > Confidence.MAYBE]
    listed = [need for need in drafted if any(is_in(entry, (need,)) for entry in wanted(service)["needs"])]
    assert len(listed) >= 0.8 * len(drafted)


@pytest.mark.parametrize("service", SERVICES)
def test_logs_and_what_is_made_at_each_start_are_left_out(service: str) -> None:
    found = needs(service)
    assert {need.name for need in found if need.is_left_out} >= set(wanted(service)["left_out"])


@pytest.mark.parametrize("service", SERVICES)
def test_todays_release_accepts_the_draft(service: str) -> None:
    manifest = HAService.model_validate(yaml.safe_load(text(service)))
    assert first_unsupported(manifest) == ""


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_in_the_survey_or_in_the_draft(service: str) -> None:
    installed = (GOLDEN / service / "install.sh").read_text()
    for secret in wanted(service)["secrets"]:
        assert secret in installed, "it was there to be found"
        assert secret not in (GOLDEN / service / "survey.json").read_text() and secret not in text(service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_draft_declares_all_that_it_was_made_of_and_each_line_is_missed_when_it_goes(service: str) -> None:
    found = in_order(needs(service))
    whole = text(service)
    assert compared(found, resources_of(whole) or [], remarks_of(whole)).undeclared == ()
    for line in [
        line for line in whole.splitlines() if line.startswith("    # later:") and "-with, package" not in line
    ]:
        less = whole.replace(f"{line}\n", "")
        missed = compared(found, resources_of(less) or [], remarks_of(less)).undeclared
        assert [need.kind for need in missed] != [], line


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_written_into_a_manifest_of_one_unit_is_all_that_the_draft_has(service: str) -> None:
    """With `--write`; and a person's own lines stay, whatever they look like."""
    found = in_order(needs(service))
    (server,) = [one for one in resources_of(text(service)) or [] if one["name"] == "server"]
    mine = (
        "# ours\nkind: HAService\napiVersion: backstay.dev/v1alpha1\nmetadata: {name: a, namespace: shop}  # who asks\n"
        "spec:\n  resources:  # from below\n  # not needed: {name: x, file: {path: /x}}\n"
        f"  - {flow(server)}   # by hand\n  state: Running\n"
    )
    before = compared(found, resources_of(mine) or [], remarks_of(mine))
    whole = added(mine, before.undeclared)
    assert compared(found, resources_of(whole) or [], remarks_of(whole)).undeclared == ()
    assert [line for line in whole.splitlines() if line in mine.splitlines()] == mine.splitlines()
    manifest = HAService.model_validate(yaml.safe_load(whole))
    assert isinstance(judged(manifest), Accepted)
    assert added(whole, ()) == whole


@pytest.mark.parametrize(
    "manifest",
    [
        "kind: HAService\nspec: {resources: [{name: a, systemd: {unit: a.service}}]}\n",
        "kind: HAService\nspec:\n  resources:\n    [{name: a, systemd: {unit: a.service}}]\n",
        "kind: ConfigMap\ndata:\n  resources:\n  - a\n",
        "kind: HAService\nspec:\n  resources:\n  - name: a\n    x:\n      resources:\n      - b\n",
    ],
)
def test_a_manifest_of_another_form_is_left_as_it_is(manifest: str) -> None:
    with pytest.raises(Unwritable):
        added(manifest, needs("nginx"))
