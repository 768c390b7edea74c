"""Documents tell the truth: each command line is taken by the real program, each manifest by the models, each link leads somewhere."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from backstay_agent.config import read_config
from backstay_api.objects.models import HAService, Host
from backstay_api.objects.promise import PROFILES, silent_after_s, suspect_after_s
from backstay_api.objects.resource_kinds import IMPLEMENTED, ResourceKind
from backstay_dev.modules import ROOTS
from backstay_operator.planner.judge.judges import FILTERS
from backstay_operator.planner.judge.scores import SCORES
from backstay_operator.planner.judge.unsupported import _TODAY, first_unsupported
from backstay_testing.command_lines import UsageError, fault, parsed, program
from backstay_testing.console import console_steps
from backstay_testing.documents import DOCUMENTS, ROOT, name_of

MANIFESTS = sorted((ROOT / "examples").glob("*.yaml"))
KUBECTL = {
    "apply", "config", "create", "delete", "describe", "edit", "explain", "get", "logs", "patch", "port-forward", "rollout", "scale", "wait",
}  # fmt: skip
# What a kubectl command line may name besides our own kinds.
KUBERNETES_KINDS = {"pods", "lease", "secret", "token", "deployment", "configmap", "rolebinding"}


def commands(path: Path) -> list[str]:
    """Every command of a document: those at a prompt, and those in the text between backticks."""
    text = path.read_text()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`((?:kubectl )?(?:backstay|kubectl|make) [^`…]+)`", prose)
    at_prompts = [step.command for step in console_steps(text) if step.prompt == "$"]
    return [*at_prompts, *inline]


def yaml_blocks(path: Path) -> list[dict[str, object]]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [body for block in blocks for body in yaml.safe_load_all(block) if isinstance(body, dict)]


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_backstay_takes_every_command_line_that_documents_show(path: Path) -> None:
    wrong = []
    for line in commands(path):
        # What stands behind a pipe is another program.
        words = shlex.split(line.partition(" | ")[0].removeprefix("kubectl ").removesuffix("&"))
        if words[0] != "backstay" or len(words) == 1:
            continue
        if error := fault(words[1:]):
            wrong.append(f"{line}: {error}")
    assert wrong == []


def test_a_wrong_option_in_a_document_would_be_found() -> None:
    with pytest.raises(UsageError):
        parsed(program(), "backstay", ["drain", "n1", "--weit"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_make_has_every_target_that_documents_show(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [
        word
        for line in commands(path)
        if line.startswith("make ")
        for word in line.split("#")[0].split()[1:]
        if re.fullmatch("[a-z]+", word)
    ]
    assert set(named) <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_kubectl_is_asked_for_kinds_that_exist(path: Path) -> None:
    wrong = [line for line in commands(path) if line.startswith("kubectl ") and not _kubectl_would_know(line)]
    assert wrong == []


def _kubectl_would_know(line: str) -> bool:
    if " && " in line:
        return all(_kubectl_would_know(one) for one in line.split(" && "))
    words = shlex.split(line.removesuffix("&"))[1:]
    words = [
        word
        for word, before in zip(words, ["", *words], strict=False)
        if before not in ("-n", "-o", "-f", "-p", "--type")
    ]
    plain = [word for word in words if not word.startswith("-")]
    if plain[0] == "backstay" or plain in (["get"], ["apply"]):
        return True
    if plain[0] not in KUBECTL:
        return False
    if plain[0] in ("apply", "config") or "-f" in words:
        return True
    what = plain[2] if plain[0] == "rollout" else plain[1] if len(plain) > 1 else ""
    kinds = {kind.partition("/")[0].partition(".")[0] for kind in what.split(",")}
    return kinds <= our_kinds() | KUBERNETES_KINDS


@cache
def our_kinds() -> set[str]:
    """Every name under which the API server knows our kinds."""
    known: set[str] = set()
    for file in (ROOT / "charts" / "backstay" / "files" / "crds").glob("*.yaml"):
        names = yaml.safe_load(file.read_text())["spec"]["names"]
        known |= {names["plural"], names["singular"], *names.get("shortNames", [])}
    return known


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_value_of_the_chart_that_documents_set_exists(path: Path) -> None:
    values = yaml.safe_load((ROOT / "charts" / "backstay" / "values.yaml").read_text())
    for key in re.findall(r"--set (\S+?)=", path.read_text()):
        here = values
        for step in key.split("."):
            assert step in here, f"{key} is no value of the chart"
            here = here[step]


# --- manifests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*DOCUMENTS, *MANIFESTS], ids=name_of)
def test_every_manifest_is_one_that_this_version_carries_out(path: Path) -> None:
    bodies = list(yaml.safe_load_all(path.read_text())) if path.suffix == ".yaml" else yaml_blocks(path)
    for body in bodies:
        if body.get("kind") in ("HAService", "Host"):
            assert list(unknown_fields(body, schemas()[str(body["kind"])], str(body["kind"]))) == []
        if body.get("kind") == "HAService":
            assert first_unsupported(HAService.from_wire(body)) == ""
        elif body.get("kind") == "Host":
            Host.from_wire(body)


@cache
def schemas() -> dict[str, Any]:
    """The schema of each of our kinds, as the API server has it."""
    files = (ROOT / "charts" / "backstay" / "files" / "crds").glob("*.yaml")
    specs = [yaml.safe_load(file.read_text())["spec"] for file in files]
    return {one["names"]["kind"]: one["versions"][0]["schema"]["openAPIV3Schema"] for one in specs}


def unknown_fields(value: object, schema: Any, path: str) -> Iterator[str]:
    """Fields that the API server would drop, or refuse; the models read past them, for the sake of newer writers."""
    if isinstance(value, list):
        for entry in value:
            yield from unknown_fields(entry, schema.get("items", {}), f"{path}[]")
    elif isinstance(value, dict) and "properties" in schema:
        for key, inner in value.items():
            known = schema["properties"].get(key)
            is_meta = path.count(".") == 0 and key in ("apiVersion", "kind", "metadata")
            if known is None and not is_meta:
                yield f"{path}.{key}"
            elif not is_meta:
                yield from unknown_fields(inner, known, f"{path}.{key}")


# --- numbers and lists that the code knows better --------------------------------------------------------------------


def test_the_profiles_are_those_of_the_promise() -> None:
    told = (ROOT / "docs" / "explanation" / "timing.md").read_text()
    rows = {
        f"| `{name}` | {one.renew_s:g} s | {suspect_after_s(one):g} s | {silent_after_s(one):g} s |"
        for name, one in PROFILES.items()
    }
    assert {row for row in rows if row not in told} == set()


def test_every_field_that_is_refused_today_is_told() -> None:
    told = (ROOT / "docs" / "explanation" / "limits.md").read_text()
    names = {to_camel(path.replace("[]", "").split(".")[-1]) for path in _TODAY}
    assert {name for name in names if f"`{name}`" not in told and f".{name}`" not in told} == set()


def test_the_agents_configuration_is_one_that_it_reads(tmp_path: Path) -> None:
    how_to = (ROOT / "docs" / "how-to" / "add-a-host.md").read_text()
    shown = re.search(r"^```json\n(.*?)^```", how_to, re.MULTILINE | re.DOTALL)
    assert shown
    file = tmp_path / "agent.json"
    file.write_text(shown[1])
    assert read_config(file).host == "n1"
    keys = set(re.findall(r"^\| `(\w+)` \|", how_to, re.MULTILINE))
    file.write_text(
        json.dumps({**dict.fromkeys(keys, "x"), "servers": ["https://192.0.2.1:6443"], "mount_roots": ["/srv"]})
    )
    read_config(file)  # raises for a key that it does not know


# --- links, and what must be complete --------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """Headings as GitHub links to them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("folder", ["adr", "how-to", "explanation"])
def test_every_index_is_complete(folder: str) -> None:
    index = (ROOT / "docs" / folder / "README.md").read_text()
    pages = {page.name for page in (ROOT / "docs" / folder).glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in index} == set()


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            target = (page.parent / link).resolve()
            target = target / "README.md" if target.is_dir() else target
            if "://" not in link and target.exists():
                waiting.append(target)
    assert {name_of(page) for page in set(DOCUMENTS) - seen} == set()


@pytest.mark.parametrize("kind", IMPLEMENTED, ids=lambda kind: kind.wire)
def test_the_front_page_names_every_kind_that_there_is(kind: ResourceKind) -> None:
    status = (ROOT / "README.md").read_text().partition("\n## Status\n")[2]
    assert kind.noun in status.partition("What is not there yet")[0]


# How the page says each filter and score; one that is not here stands nowhere.
JUDGES = {
    "may_stay": "drained or being removed, by which what runs there has to leave",
    "is_selected": "not selected by `placement.hosts`",
    "is_free": "another service there",
    "is_its_host": "a copy for another host",
    "has_no_other": "another copy that is there or on its way",
    "is_wished": "not the host that a person asked for",
    "is_open": "cordoned, in other hands or shutting down as well",
    "is_tolerated": "a taint that the service does not tolerate",
    "is_understood": "an agent that does not know",
    "has_session": "no session that is renewed in time",
    "is_reachable": "for a standby, which may be late, lost",
    "may_answer": "lost and not asked before",
    "has_room": "asked about too many services",
    "starts_here": "failed to start it lately",
    "may_fail_over": "after a failure elsewhere, `recovery.moves` is used up",
    "could_fail_over": "whether it would be if the host were lost now",
    "has_capacity": "too little left of what it needs",
    "is_apart": "what it must be apart from",
    "is_together": "without what it must be together with, unless that",
    "could_be_together": "for who could take over, what is lost with the host",
    "is_spread": "more copies in one domain than `placement.spread` allows",
    "evenness": "as few copies too many as may be",
    "is_ready": "; not ready;",
    "meets_prerequisites": "what it needs missing there, or not as where it runs or ran last",
    "is_not_older": "as it was before an edit, if nothing has failed",
    "fewest_unmet": "as little missing of what only warns as may be",
    "need_not_wait": "waited for while it reboots",
    "keeps_its_copy": "for the promoted role, no copy that stays there",
    "has_copy_that_works": "or, to be promoted, no copy that works",
    "has_fresh_data": "has not said how fresh its data is",
    "is_not_passed_over": "has yet to say how far its data goes after the last epoch ended",
    "freshest": "the copy whose data is the freshest",
    "leaves_room": "leaves room for all that wait",
    "awaited_there": "ran it before a reboot",
    "announced": "where people were told that it goes",
    "fewest_failures": "fewest starts",
    "no_recent_failure": "no start has failed",
    "has_what_it_needs": "who has enough left",
    "fewest_taints": "as few taints `PreferNoSchedule`",
    "rules_kept": "as many of the rules about other services",
    "preference": "`placement.prefer`",
    "readiness": "who is ready",
    "already_asked": "stands by already",
    "fewer_services": "runs fewer others",
}


def test_each_filter_and_score_has_words_of_its_own() -> None:
    """Else the page could lose one unnoticed, where another is told in the same words."""
    shared = [(one, other) for one, other in permutations(JUDGES, 2) if JUDGES[one] in JUDGES[other]]
    assert shared == []


@pytest.mark.parametrize("judge", [judge.__name__ for judge, _ in (*FILTERS, *SCORES)])
def test_the_page_of_decisions_names_every_filter_and_score(judge: str) -> None:
    page = (ROOT / "docs/explanation/deciding.md").read_text()
    assert JUDGES[judge] in page.partition("## Where a service goes: judges")[2].partition("\n## ")[0]


def test_the_architecture_names_every_package() -> None:
    told = (ROOT / "docs/architecture.md").read_text()
    packages = [path.parent.relative_to(ROOT) for room in ROOTS for path in (ROOT / room).rglob("__init__.py")]
    assert [str(each) for each in packages if f"{each.name}/" not in told and f"{each}`" not in told] == []


PROOF = {"PROTOCOL": "protocol.md", "SAFETY": "safety-case.md", "FACTS": "facts.md"}


def test_every_citation_of_the_proof_names_a_section_that_is_there() -> None:
    """`PROTOCOL 6` is section 6 of docs/protocol.md, and so on; no other document is cited, for none is in the repository."""
    sections = {
        name: set(re.findall(r"^##+ (\d+(?:\.\d+)?)", (ROOT / "docs" / page).read_text(), re.MULTILINE))
        for name, page in PROOF.items()
    }
    cited = [
        (path, *found)
        for path in [*(ROOT / room for room in ROOTS), ROOT / "tests", ROOT / "models"]
        for source in path.rglob("*")
        if source.suffix in (".py", ".cpp")
        for found in re.findall(
            r"\b(PROTOCOL|SAFETY|FACTS|STYLE|DESIGN|GUIDE|INSTALL|FEATURES) (\d+(?:\.\d+)?)", source.read_text()
        )
    ]
    assert len(cited) > 30
    assert [each for each in cited if each[2] not in sections.get(each[1], set())] == []


# What must never be there, and the form of a citation.
NO_FILES = {"operator/__init__.py", "file.py", "bmcs.yaml"}


def test_every_file_that_somebody_names_is_there() -> None:
    """In documents and in the code: written whole, or as the end of its path."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    ends = {"/".join(path.split("/")[start:]) for path in tracked for start in range(path.count("/") + 1)}
    lost = [
        (path, name)
        for path in tracked
        if path.endswith((".md", ".py")) and path != "CHANGELOG.md"
        for name in re.findall(r"`([\w./-]+\.(?:py|md|cpp|yaml|tsv))(?::[\w.]+)?`", (ROOT / path).read_text())
        if name.removeprefix("../") not in ends | NO_FILES
    ]
    assert lost == []
