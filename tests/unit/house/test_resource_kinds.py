"""Every registry knows every kind of resource: what one of them has forgotten is said here, and nowhere else knows kinds by name."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from backstay_agent.drivers import real_drivers, real_lookers
from backstay_api.objects import plain, resource_kinds
from backstay_api.objects.models import HAService
from backstay_api.objects.models.base import Model
from backstay_api.objects.models.prerequisites import RenderedPrerequisite
from backstay_api.objects.models.probes import Probe
from backstay_api.objects.models.resources import Bound, RenderedResource, Resource, Timeouts
from backstay_api.objects.probe_kinds import PROBE_KINDS, ProbeKind, kind_of
from backstay_api.objects.resource_kinds import (
    IMPLEMENTED,
    PREREQUISITES,
    RESOURCE_KINDS,
    STARTED,
    ResourceKind,
    claims_of,
    identity,
)
from backstay_operator.planner.judge.acceptance import Accepted, Refused, accept
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import a_world

ROOT = Path(__file__).resolve().parents[3]
LATER = tuple(kind for kind in RESOURCE_KINDS if not kind.is_implemented)
EXAMPLES: dict[str, dict[str, Any]] = {
    "systemd": {"unit": "web.service"},
    "command": {"start": ["/bin/up"], "stop": ["/bin/down"]},
    "virtual_ip": {"address": "192.0.2.10/24"},
    "mount": {"device": "/dev/sdb", "path": "/srv"},
    "file": {"path": "/etc/web.conf"},
    "certificate": {"path": "/etc/ssl/web.pem"},
    "endpoint": {"tcp": "db.example.org:5432"},
    "ocf": {"agent": "heartbeat:Dummy"},
    "setting": {"sysctl": "vm.nr_hugepages"},
    "package": {"name": "nginx"},
    "path": {"path": "/srv/www"},
    "replication": {"command": ["/bin/lag"]},
}
_TLS = {"caFile": "/etc/ca.pem", "certFile": "/etc/a.pem", "keyFile": "/etc/a.key"}
PROBES: dict[str, dict[str, Any]] = {
    "tcpSocket": {"port": 80, "host": "192.0.2.9"},
    "httpGet": {"port": 443, "host": "192.0.2.9", "scheme": "HTTPS", "tls": _TLS},
    "grpc": {"port": 443, "host": "192.0.2.9", "tls": _TLS},
    "exec": {"command": ["/bin/true", "x"]},
    "ocf": {"depth": 10},
}
# An address is taken away from an interface that nobody names; an OCF agent is called with a whole environment.
NO_COMMAND_STOPS = ("virtual_ip", "ocf")
# Who may know a kind by its name: its model, its row, its driver.
KNOW_KINDS = (
    "crds/backstay_api/objects/models/resources.py",
    "crds/backstay_api/objects/plain.py",
    "crds/backstay_api/objects/resource_kinds.py",
    "node-agent/backstay_agent/drivers/",
    # A rule says for each kind by which clues it is told: as many places as there are kinds.
    "cli/backstay_cli/drafting/",
)


def by_name(kind: ResourceKind) -> str:
    return kind.wire


def example(kind: ResourceKind, **more: Any) -> dict[str, Any]:
    return {"name": "one", kind.wire: EXAMPLES[kind.field], **more}


def service_of(kind: ResourceKind, **more: Any) -> HAService:
    """With something to start, where the kind is only looked at."""
    return a_service("web", example(kind, **more), *([unit()] if kind.is_prerequisite else []))


def kinds_in(model: type[Model]) -> dict[str, str | None]:
    """Fields that are a kind of resource, with their names on the wire: parts that may be left out, but for what all kinds share."""
    found = {}
    for name, field in model.model_fields.items():
        types = [one for one in get_args(field.annotation) if isinstance(one, type) and issubclass(one, Model)]
        if types and not {*types} & {Timeouts, Bound} and type(None) in get_args(field.annotation):
            found[name] = field.alias
    return found


def test_every_kind_of_the_schema_has_a_row_and_every_row_is_in_the_schema() -> None:
    assert kinds_in(Resource) == {kind.field: kind.wire for kind in RESOURCE_KINDS}


def test_an_agent_is_told_of_every_implemented_kind_and_has_its_driver() -> None:
    started = {kind.field for kind in STARTED}
    assert kinds_in(RenderedResource).keys() == started
    common = {"name", "after", "reloadedAt", "timeouts", "probes", "onFailure"}
    assert plain.RenderedResource.SHAPE.keys() == {kind.wire for kind in STARTED} | common
    assert real_drivers().keys() == started


def test_a_host_is_told_of_every_prerequisite_and_has_who_looks_at_it() -> None:
    looked_at = {kind.field for kind in PREREQUISITES}
    assert kinds_in(RenderedPrerequisite).keys() == looked_at
    assert plain.RenderedPrerequisite.SHAPE.keys() == {kind.wire for kind in PREREQUISITES} | {"name"}
    assert real_lookers().keys() == looked_at


@pytest.mark.parametrize("kind", LATER, ids=by_name)
def test_a_kind_of_a_later_release_is_refused_by_name(kind: ResourceKind) -> None:
    refused = accept(a_world("n1"), a_service("web", example(kind)))
    assert refused == Refused(
        "NotSupportedYet", f"spec.resources[one].{kind.wire} is not supported yet: leave it out for now"
    )


@pytest.mark.parametrize("kind", IMPLEMENTED, ids=by_name)
def test_only_the_strategy_of_its_row_is_taken(kind: ResourceKind) -> None:
    """Of what is only looked at a person may also say that hosts are not to be compared, and what a host is that lacks it."""
    more = {"consistency": {"Any"}, "gate": {"Block", "Warn"}} if kind.is_prerequisite else {}
    for field, others in (
        ("strategy", ("Duplicate", "Share", "Move", "External")),
        ("consistency", ("Any", "Bounded", "Exact")),
        ("gate", ("Block", "Warn")),
    ):
        taken = {one for one in others if isinstance(accept(a_world("n1"), service_of(kind, **{field: one})), Accepted)}
        assert taken == {getattr(kind, field)} | more.get(field, set())


@pytest.mark.parametrize("kind", RESOURCE_KINDS, ids=by_name)
def test_every_kind_can_be_shown_and_says_what_it_claims(kind: ResourceKind) -> None:
    resource = Resource.model_validate(example(kind))
    assert identity(resource).startswith(f"{kind.noun} ")
    assert all(claim.key and claim.text for claim in claims_of([resource]))
    assert resource.rendered.name == "one" if kind in STARTED else True
    assert resource.as_prerequisite.name == "one" if kind in PREREQUISITES else True


@pytest.mark.parametrize("kind", RESOURCE_KINDS, ids=by_name)
def test_a_policy_has_a_word_to_say_of_every_kind(kind: ResourceKind) -> None:
    """Else default deny would be a hole: a resource that asks for nothing is allowed whatever it is."""
    ((_, spec),) = resource_kinds.kinds_in([Resource.model_validate(example(kind))])
    assert kind.policy(spec)


@pytest.mark.parametrize("kind", PROBE_KINDS, ids=lambda kind: kind.wire)
def test_a_policy_has_a_word_to_say_of_whatever_a_probe_runs_and_reads(kind: ProbeKind) -> None:
    """A probe of a kind that is not here yet needs an example."""
    (_, spec) = kind_of(Probe.model_validate({"name": "alive", kind.wire: PROBES[kind.wire]}))
    asked = {one.value for one in kind.policy(spec)}
    files, program = kind.files(spec), kind.program(spec)
    assert {(file,) for file in files} | ({tuple(program)} if program else set()) <= asked
    assert (("192.0.2.9",) in asked) is kind.asks_port


@pytest.mark.parametrize("kind", RESOURCE_KINDS, ids=by_name)
def test_every_kind_stands_in_the_reference_and_the_implemented_ones_in_an_example(kind: ResourceKind) -> None:
    page = (ROOT / "docs/reference/haservices.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `spec.resources[].{kind.wire}` |")]
    assert ("(later)" in row) is not kind.is_implemented
    manifests = [body for path in (ROOT / "examples").glob("*.yaml") for body in yaml.safe_load_all(path.read_text())]
    shown = {name for body in manifests for one in body.get("spec", {}).get("resources", ()) for name in one}
    assert (kind.wire in shown) is kind.is_implemented


def test_the_contract_of_drivers_names_every_driver() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["name"].startswith("drivers stand on tools")]
    rooms, *below = contract["layers"]
    inside = {path.stem for path in (ROOT / "node-agent/backstay_agent/drivers").iterdir() if path.stem[0] != "_"}
    assert contract["exhaustive"] and contract["containers"] == ["backstay_agent.drivers"]
    assert {*rooms.split(" | ")} == inside - {*below}


@pytest.mark.parametrize("kind", RESOURCE_KINDS, ids=by_name)
def test_the_limits_name_the_kinds_that_are_refused_and_no_others(kind: ResourceKind) -> None:
    page = (ROOT / "docs/explanation/limits.md").read_text()
    (row,) = re.findall(r"^\| resources (.*) \| left out \|$", page, re.MULTILINE)
    assert (f"`{kind.wire}`" in row) is not kind.is_implemented


@pytest.mark.parametrize("kind", [kind for kind in STARTED if kind.field not in NO_COMMAND_STOPS], ids=by_name)
def test_a_person_is_told_the_command_that_stops_it(kind: ResourceKind) -> None:
    """Where something of it runs that we have not started, the status says what to do."""
    ((_, spec),) = resource_kinds.kinds_in([Resource.model_validate(example(kind))])
    assert kind.stop_by_hand(spec)


# Words for other things too; `ocf` is a question of a probe as well.
OTHER_WORDS = {"file", "path", "command", "package", "certificate", "endpoint"}


@pytest.mark.parametrize("room", ["crds", "operator", "node-agent", "cli"])
def test_nobody_else_knows_a_kind_by_its_name(room: str) -> None:
    """What is asked of a resource by its kind is asked of the row: so a new kind is forgotten nowhere."""
    fields = {kind.field for kind in RESOURCE_KINDS} - OTHER_WORDS
    words = {name for kind in RESOURCE_KINDS for name in (kind.field, kind.wire)} - OTHER_WORDS - {"ocf"}
    found = [
        f"{name}:{node.lineno}: {ast.unparse(node)}"
        for path in sorted((ROOT / room).rglob("*.py"))
        if not (name := str(path.relative_to(ROOT))).startswith(KNOW_KINDS)
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Constant) and node.value in words)
        or (
            isinstance(node, ast.Attribute)
            and (node.attr in fields or (node.attr == "command" and ast.unparse(node.value) in ("resource", "one")))
        )
    ]
    assert found == []


def test_nobody_in_the_simulator_reads_a_kind_by_its_name() -> None:
    """It writes manifests of some kinds, and judges all."""
    words = {name for kind in RESOURCE_KINDS for name in (kind.field, kind.wire)} - OTHER_WORDS
    found = [
        f"{path.name}:{node.lineno}: {ast.unparse(node)}"
        for path in sorted((ROOT / "dev/backstay_dev/simulator").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript | ast.Compare | ast.Call)
        for read in _read_by_name(node)
        if isinstance(read, ast.Constant) and read.value in words
    ]
    assert found == []


def _read_by_name(node: ast.Subscript | ast.Compare | ast.Call) -> list[ast.expr]:
    """What may be the name of a field: in `x["name"]`, `"name" in x`, `x.get("name")` and `getattr(x, "name")`."""
    match node:
        case ast.Subscript(slice=name) | ast.Compare(left=name):
            return [name]
        case (
            ast.Call(func=ast.Attribute(attr="get" | "pop"), args=args)
            | ast.Call(func=ast.Name(id="getattr"), args=args)
        ):
            return args
    return []


def test_the_checklist_asks_for_rows_where_kinds_are_tried() -> None:
    section = (
        (ROOT / "CONTRIBUTING.md").read_text().partition("**…a new kind of resource comes")[2].partition("\n**…")[0]
    )
    for path in ("tests/unit/api/objects/test_injection.py", "tests/unit/planner/judge/test_acceptance.py"):
        assert f"`{path}`" in section and (ROOT / path).is_file()


def test_the_checklist_names_four_files_of_the_product() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.partition("**…a new kind of resource comes")[2].partition("\n**…")[0]
    named = re.findall(r"^\d\. `([^`]+)`", section, re.MULTILINE)
    assert [(path, (ROOT / path.replace("<kind>", "command")).is_file()) for path in named] == [
        ("crds/backstay_api/objects/models/resources.py", True),
        ("crds/backstay_api/objects/resource_kinds.py", True),
        ("node-agent/backstay_agent/drivers/<kind>.py", True),
        ("node-agent/backstay_agent/drivers/__init__.py", True),
    ]
