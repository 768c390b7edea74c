"""The commands people type, on the in-memory API: what they write, what they say, how they end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from backstay_api.memory.server import MemoryApi, MemoryCluster
from backstay_api.objects import lease, rbac
from backstay_api.objects.kinds import LEASES, Kind, Raw, raw
from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.base import GROUP, VERSION, Object
from backstay_cli.main import build
from backstay_cli.session import FAILED, NO_SUCH_THING, NOT_NOW, NOT_WELL, WELL, Tools
from backstay_dev.simulator import virtualtime
from backstay_operator.planner.do.decisions import decide
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.know.clearing import CLEAR_ANNOTATION
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.host_status import host_status
from backstay_operator.planner.tell.status import service_status
from backstay_testing.builders import a_service, an_instance, session, unit
from backstay_testing.worlds import a_world, add_host, make_ours, report, say_ready

SILENT = {"type": "Ready", "status": "False", "reason": "Silent", "message": "n2 is silent"}
NOW = "2026-03-01T12:00:00Z"
USED = "restarts in place within 10m are used"


def kind_of(model: type[Object]) -> Kind[dict[str, Any]]:
    name = model.model_fields["kind"].default
    return raw(GROUP, VERSION, model.plural, name, model.namespaced, has_status=model.has_status)


@dataclass
class Cluster:
    """A cluster in memory and a person at a terminal (a fake of both), who answers every question alike."""

    store: MemoryCluster = field(default_factory=MemoryCluster)
    answer: bool = False
    asked: list[str] = field(default_factory=list)
    while_asked: Callable[[], object] = lambda: None
    """What happens while the person thinks."""

    def put(self, obj: Object) -> None:
        kind, body = kind_of(type(obj)), obj.wire()
        meta = {key: value for key, value in body["metadata"].items() if key != "resourceVersion"}
        namespace = meta.get("namespace", "")
        self.store.create(kind, namespace, {**body, "metadata": meta})
        if kind.has_status and "status" in body:
            self.store.patch(kind, (namespace, meta["name"]), {"status": body["status"]}, subresource="status")

    def get(self, model: type[Object], name: str, namespace: str = "") -> Mapping[str, Any]:
        return self.store.get(kind_of(model), namespace, name)

    def run(self, *words: str) -> Result:
        tools = Tools(
            open_api=lambda options: MemoryApi(self.store),
            namespace_of=lambda options: "shop",
            who_am_i=self._who,
            wall=lambda: NOW,
            ask=self._ask,
            run=virtualtime.run,
        )
        return CliRunner().invoke(build(), list(words), obj=tools, catch_exceptions=False)

    async def _who(self, api: object) -> str:
        return "alice"

    def _ask(self, question: str) -> bool:
        self.asked.append(question)
        self.while_asked()
        return self.answer


def a_cluster(*, holder: str | None = "n1", ready: tuple[str, ...] = ("n2",), **spec: Any) -> Cluster:
    """web on n1, n2 ready, n3 cordoned; told as the operator tells it."""
    cluster, world = Cluster(), a_world("n1", "n2")
    add_host(world, "n3", mode="Cordon")
    run_on(cluster, world, a_service(**spec), holder, ready)
    tell(cluster, world)
    return cluster


def run_on(cluster: Cluster, world: World, service: HAService, holder: str | None, ready: tuple[str, ...]) -> None:
    """The in-memory API gives its own UIDs, so the instance is found by those."""
    cluster.put(service)
    service = HAService.from_wire(cluster.get(HAService, service.metadata.name, "shop"))
    cluster.put(an_instance(service, epoch=1, host=holder))
    instance = HAInstance.from_wire(cluster.get(HAInstance, service.slots[0], "shop"))
    world.put_service(service)
    world.put_instance(instance)
    say_ready(world, service, *ready, uid=instance.uid)
    if holder:
        report(world, service, holder, "Running", epoch=1, uid=instance.uid)


def tell(cluster: Cluster, world: World) -> None:
    """What the operator says, and all that it has seen."""
    for service in world.services.values():
        told = service_status(world, decide(begin(world), service))
        at = ("shop", service.metadata.name)
        cluster.store.patch(kind_of(HAService), at, {"status": told.wire()}, subresource="status")
    for claim in world.claims.values():
        cluster.put(claim)
    for name in world.hosts:
        patch = host_status(world, world.hosts[name]) or {}
        cluster.put(Host.from_wire({**world.hosts[name].wire(), "status": patch}))
        cluster.put(world.assignments[name])
        body = lease.write(world.leases[name].lease)
        body["metadata"].pop("resourceVersion")
        cluster.store.create(LEASES, "backstay-hosts", body)


def ask_about(cluster: Cluster, want: str = "Off", **status: Any) -> None:
    spec = {
        "host": "n1",
        "session": session("n1").wire(),
        "machineUUID": "machine-n1",
        "want": want,
        "why": "n1 is silent",
    }
    cluster.put(FenceRequest.from_wire({"metadata": {"name": "n1-abc"}, "spec": spec, "status": status}))


# --- status and explain ----------------------------------------------------------------------------------------------


def test_status_shows_services_hosts_and_what_is_not_well() -> None:
    answer = a_cluster().run("status")
    assert answer.exit_code == WELL
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert ["shop/web", "True", "n1", "Running", "0s", "1/2", "ready"] in lines
    assert ["n3", "True", "False", "0", "Cordon", "Live"] in lines
    assert "service shop/web   SurvivesHostLoss   n1 could not be fenced" in answer.stdout


@pytest.mark.parametrize(
    ("told", "is_shown"),
    [
        pytest.param({"staysOff": True, "message": "n1 is off; bmc does not say on"}, True, id="it is tried in vain"),
        pytest.param({"message": "n1 is off"}, False, id="nobody has tried yet, or an older fencer"),
    ],
)
def test_status_shows_a_host_that_could_not_be_switched_on_again(told: Raw, is_shown: bool) -> None:
    cluster = a_cluster()
    ask_about(cluster, evidence={"level": "power", "why": "read off twice"}, **told)
    said = cluster.run("status").stdout
    assert ("host n1            StaysOff           n1 is off; bmc does not say on" in said) is is_shown


def test_status_for_scripts() -> None:
    cluster = a_cluster()
    assert cluster.run("status", "--check").exit_code == NOT_WELL
    told = json.loads(cluster.run("status", "-o", "json").stdout)
    assert [one["metadata"]["name"] for one in told["hosts"]] == ["n1", "n2", "n3"]
    assert told["services"][0]["status"]["host"] == "n1"
    assert yaml.safe_load(cluster.run("status", "-o", "yaml").stdout) == told


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(["status", "-n", "other"], False, id="another namespace"),
        pytest.param(["-n", "other", "status"], False, id="the option before the command"),
        pytest.param(["-n", "other", "status", "-n", "shop"], True, id="the nearer one wins"),
        pytest.param(["status", "-A"], True, id="all namespaces"),
        pytest.param(["status"], True, id="the namespace of the context"),
    ],
)
def test_where_the_namespace_comes_from(words: list[str], shown: bool) -> None:
    assert ("shop/web" in a_cluster().run(*words).stdout) is shown


def test_there_are_no_colours_where_no_terminal_is() -> None:
    assert "\x1b" not in a_cluster().run("status").stdout


def test_explain_says_of_each_host_by_which_rule() -> None:
    answer = a_cluster().run("explain", "web", "-o", "json")
    told = json.loads(answer.stdout)
    assert [(one["host"], one["verdict"], one["rule"]) for one in told["hosts"]] == [
        ("n1", "holder", "-"),
        ("n2", "chosen", "-"),
        ("n3", "no", "Maintenance"),
    ]
    assert told["hosts"][2]["why"] == "is cordoned (new disks)"
    assert told["summary"].startswith("it is on n1, and would go to n2 next")


@pytest.mark.parametrize(("name", "to"), [("a", "n2"), ("b", "n3")])
def test_of_two_services_that_leave_a_host_each_is_said_to_go_where_the_operator_sends_it(name: str, to: str) -> None:
    cluster, world = Cluster(), a_world("n2", "n3")
    add_host(world, "n1", mode="Drain")
    for each in ("a", "b"):
        run_on(cluster, world, a_service(each, unit(each)), "n1", ("n2", "n3"))
    make_ours(world)
    tell(cluster, world)
    told = json.loads(cluster.run("explain", name, "-o", "json").stdout)
    assert told["summary"].startswith(f"it is on n1, and goes to {to} next: ")
    assert [line["host"] for line in told["hosts"] if line["verdict"] == "chosen"] == [to]
    assert told["hosts"][0]["why"] == "it stops here: n1 is being drained (new disks)"
    cluster.run("move", name)
    assert json.loads(cluster.get(HAService, name, "shop")["metadata"]["annotations"][MOVE_ANNOTATION])["host"] == to


def test_explain_speaks_to_people_too() -> None:
    answer = a_cluster(ready=()).run("explain", "shop/web")
    assert "It is on n1, and has nowhere else to go: 0/3 hosts can run it" in answer.stdout


def test_what_is_not_there_is_told_apart_from_what_cannot_be_reached() -> None:
    answer = a_cluster().run("explain", "nothing")
    assert answer.exit_code == NO_SUCH_THING
    assert "not found" in answer.stderr


@pytest.mark.parametrize("words", [("explain", "old"), ("move", "old", "--to", "n2")])
def test_a_deleted_service_of_which_nothing_is_left_is_said_to_be_so(words: tuple[str, ...]) -> None:
    cluster = a_cluster()
    old = a_service(name="old").wire()
    old["metadata"]["finalizers"] = ["example.org/slow"]
    cluster.put(HAService.from_wire(old))
    cluster.store.delete(kind_of(HAService), ("shop", "old"))
    answer = cluster.run(*words)
    assert answer.exit_code == NO_SUCH_THING
    assert "shop/old is being deleted, and nothing of it is left" in answer.stderr


# --- drain, undrain, move --------------------------------------------------------------------------------------------


def test_drain_and_undrain_write_the_host_and_nothing_else() -> None:
    cluster = a_cluster()
    assert cluster.run("drain", "n1", "--reason", "new disks").exit_code == WELL
    assert cluster.get(Host, "n1")["spec"]["maintenance"] == {"mode": "Drain", "reason": "new disks"}
    assert cluster.run("undrain", "n1").exit_code == WELL
    assert "maintenance" not in cluster.get(Host, "n1")["spec"]
    assert "was not in maintenance" in cluster.run("undrain", "n1").stdout


def test_drain_of_a_host_in_other_hands_is_refused() -> None:
    cluster = a_cluster()
    cluster.store.patch(kind_of(Host), ("", "n1"), {"spec": {"maintenance": {"mode": "HandsOff"}}})
    answer = cluster.run("drain", "n1")
    assert answer.exit_code == NOT_NOW and "HandsOff" in answer.stderr


def test_a_drain_that_waits_gives_up_and_says_what_is_left() -> None:
    answer = a_cluster().run("drain", "n1", "--wait", "--timeout", "30s")
    assert answer.exit_code == NOT_NOW
    assert "after 30 s n1 is not empty; it stays drained" in answer.stderr
    assert "shop/web: Running" in answer.stderr


def test_a_drain_of_an_empty_host_has_nothing_to_wait_for() -> None:
    answer = a_cluster().run("drain", "n2", "--wait")
    assert answer.exit_code == WELL and "Nothing of Backstay runs on n2 any more." in answer.stdout


@pytest.mark.parametrize(("words", "target"), [([], "n2"), (["--to", "n2"], "n2")])
def test_move_writes_a_wish_with_its_end(words: list[str], target: str) -> None:
    cluster = a_cluster()
    assert cluster.run("move", "web", *words).exit_code == WELL
    wish = json.loads(cluster.get(HAService, "web", "shop")["metadata"]["annotations"][MOVE_ANNOTATION])
    assert wish == {"host": target, "generation": 1, "expires": "2026-03-01T12:10:00Z"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["--to", "n3"], NOT_NOW, "n3 is cordoned", id="a cordoned host"),
        pytest.param(["--to", "n9"], NO_SUCH_THING, "there is no host n9; there are: n1, n2, n3", id="no such host"),
        pytest.param(["--to", "n1"], WELL, "is on n1 already", id="where it is"),
    ],
)
def test_moves_that_cannot_be_are_refused_before_anything_is_written(words: list[str], code: int, said: str) -> None:
    cluster = a_cluster()
    answer = cluster.run("move", "web", *words)
    assert answer.exit_code == code and said in answer.output
    assert "annotations" not in cluster.get(HAService, "web", "shop")["metadata"]


def test_a_host_that_has_yet_to_become_ready_may_be_wished_for() -> None:
    cluster = a_cluster(ready=())
    assert cluster.run("move", "web", "--to", "n2").exit_code == WELL


def test_explain_takes_the_operators_word_for_silence() -> None:
    cluster = a_cluster()
    told = {"liveness": "Silent", "conditions": [{**SILENT, "lastTransitionTime": "2026-03-01T11:59:00Z"}]}
    cluster.store.patch(kind_of(Host), ("", "n2"), {"status": told}, subresource="status")
    assert "n2     no        Session       has been silent for 1 min" in cluster.run("explain", "web").stdout


def test_a_move_with_nowhere_to_go_says_why() -> None:
    answer = a_cluster(ready=()).run("move", "web")
    assert answer.exit_code == NOT_NOW and "stays where it is: 0/3 hosts can run it" in answer.stderr


# --- fence -----------------------------------------------------------------------------------------------------------


def confirmed(cluster: Cluster) -> Any:
    return cluster.get(FenceRequest, "n1-abc")["spec"].get("confirm")


@pytest.mark.parametrize(
    ("words", "answer", "code", "is_confirmed"),
    [
        pytest.param(["--confirm"], False, NOT_NOW, False, id="no means no"),
        pytest.param(["--confirm"], True, WELL, True, id="yes"),
        pytest.param(["--confirm", "--yes"], False, WELL, True, id="--yes does not ask"),
        pytest.param([], True, WELL, False, id="without --confirm it only shows"),
    ],
)
def test_only_a_person_who_says_so_confirms(words: list[str], answer: bool, code: int, is_confirmed: bool) -> None:
    cluster = a_cluster()
    cluster.answer = answer
    ask_about(cluster, message="the BMC does not answer")
    done = cluster.run("fence", "n1", *words)
    assert done.exit_code == code
    assert bool(confirmed(cluster)) is is_confirmed
    assert len(cluster.asked) == (words == ["--confirm"])


def test_a_confirmation_carries_who_when_and_what() -> None:
    cluster = a_cluster()
    ask_about(cluster)
    cluster.run("fence", "n1", "--confirm", "--yes", "--reason", "pulled both plugs")
    assert confirmed(cluster) == {"by": "alice", "at": NOW, "reason": "pulled both plugs"}


def test_the_question_names_what_is_at_stake() -> None:
    cluster = a_cluster()
    ask_about(cluster)
    cluster.run("fence", "n1", "--confirm")
    assert "n1 (machine machine-n1) holds shop/web-0" in cluster.asked[0]


def test_what_has_changed_while_the_person_looked_is_not_confirmed() -> None:
    cluster = a_cluster()
    cluster.answer = True
    ask_about(cluster, want="Off")
    withdrawn = {"spec": {"want": "Withdrawn"}}
    cluster.while_asked = lambda: cluster.store.patch(kind_of(FenceRequest), ("", "n1-abc"), withdrawn)
    answer = cluster.run("fence", "n1", "--confirm")
    assert answer.exit_code == NOT_NOW and "has changed meanwhile: look again" in answer.stderr
    assert confirmed(cluster) is None


@pytest.mark.parametrize("want", [None, "Withdrawn"])
def test_where_nobody_waits_for_proof_there_is_nothing_to_confirm(want: str | None) -> None:
    cluster = a_cluster()
    if want:
        ask_about(cluster, want)
    answer = cluster.run("fence", "n1", "--confirm", "--yes")
    assert answer.exit_code == NOT_NOW
    assert "nothing to confirm: no service is waiting for proof that n1 is off (it is Live)" in answer.stderr


# --- clear -----------------------------------------------------------------------------------------------------------


def test_clear_writes_who_why_and_up_to_where() -> None:
    cluster = a_cluster()
    answer = cluster.run("clear", "web", "--host", "n1", "--reason", "new disk")
    assert answer.exit_code == WELL and "Failures of shop/web on n1 up to now are forgotten" in answer.stdout
    written = cluster.get(HAService, "web", "shop")["metadata"]["annotations"][CLEAR_ANNOTATION]
    assert json.loads(written) == {"epoch": 1, "host": "n1", "number": 1, "by": "alice", "reason": "new disk"}
    assert cluster.run("clear", "web", "--reason", "again").exit_code == WELL
    written = cluster.get(HAService, "web", "shop")["metadata"]["annotations"][CLEAR_ANNOTATION]
    assert json.loads(written)["number"] == 2, "each one forgets once"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["web"], 2, "--reason", id="without a reason"),
        pytest.param(["web", "--reason", "x", "--host", "n9"], NO_SUCH_THING, "there is no host n9", id="no such host"),
        pytest.param(["old", "--reason", "x"], NO_SUCH_THING, "old", id="no such service"),
    ],
)
def test_a_clear_that_makes_no_sense_writes_nothing(words: list[str], code: int, said: str) -> None:
    cluster = a_cluster()
    answer = cluster.run("clear", *words)
    assert answer.exit_code == code and said in answer.output
    assert "annotations" not in cluster.get(HAService, "web", "shop")["metadata"]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        pytest.param({"recentRestarts": 0}, f"0 of 3 {USED}; if it fails, it is restarted in place at once", id="none"),
        pytest.param(
            {"recentRestarts": 2, "forgottenAt": NOW},
            f"2 of 3 {USED}, and one is forgotten at {NOW}; if it fails again, it is restarted in place,"
            " 2 s after the last time or later",
            id="two",
        ),
        pytest.param(
            {"recentRestarts": 3, "forgottenAt": NOW},
            f"3 of 3 {USED}, and one is forgotten at {NOW}; if it fails before that, it is stopped and another host tries",
            id="all",
        ),
        pytest.param(
            {"recentRestarts": 1, "nextTryAt": NOW}, f"1 of 3 {USED}; it is restarted in place at {NOW}", id="it waits"
        ),
        pytest.param({}, "", id="its agent does not say"),
    ],
)
def test_explain_says_where_in_its_recovery_a_service_stands(said: dict[str, Any], sentence: str) -> None:
    cluster = a_cluster()
    (uid,) = cluster.get(HostAssignment, "n1")["status"]["instances"]
    body = {"status": {"instances": {uid: said}}}
    cluster.store.patch(kind_of(HostAssignment), ("", "n1"), body, subresource="status")
    recovery = json.loads(cluster.run("explain", "web", "-o", "json").stdout)["recovery"]
    assert recovery == sentence


# --- host add and remove ---------------------------------------------------------------------------------------------


def test_an_agent_may_do_what_it_needs_and_nothing_else() -> None:
    assert rbac.agent("n1") == [
        {
            "apiGroups": ["backstay.dev"],
            "resources": ["hostassignments"],
            "resourceNames": ["n1"],
            "verbs": ["get", "list", "watch"],
        },
        {
            "apiGroups": ["backstay.dev"],
            "resources": ["hostassignments/status"],
            "resourceNames": ["n1"],
            "verbs": ["update"],
        },
    ]
    assert rbac.agent_in_hosts("n1") == [
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["n1"],
            "verbs": ["get", "update"],
        },
        {
            "apiGroups": [""],
            "resources": ["serviceaccounts/token"],
            "resourceNames": ["backstay-host-n1"],
            "verbs": ["create"],
        },
    ]


def test_adding_a_host_twice_changes_nothing_and_repairs_what_was_changed() -> None:
    cluster = Cluster()
    first = json.loads(cluster.run("host", "add", "n4", "-o", "json", "--labels", "rack=a").stdout)
    assert {one["result"] for one in first} == {"created"} and len(first) == 7
    again = json.loads(cluster.run("host", "add", "n4", "-o", "json").stdout)
    assert {one["result"] for one in again} == {"unchanged"}
    roles = raw("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False)
    cluster.store.patch(roles, ("", "backstay:host:n4"), {"rules": []})
    repaired = json.loads(cluster.run("host", "add", "n4", "-o", "json").stdout)
    assert [one["object"] for one in repaired if one["result"] == "updated"] == ["ClusterRole backstay:host:n4"]
    assert cluster.get(Host, "n4")["metadata"]["labels"] == {"rack": "a"}


def test_a_bmc_is_added_without_losing_anything_else() -> None:
    cluster = a_cluster()
    words = ["--bmc", "fence_redfish", "--bmc-parameter", "ip=192.0.2.101", "--bmc-secret", "n3-bmc"]
    answer = cluster.run("host", "add", "n3", *words)
    assert answer.exit_code == WELL
    assert "Secret backstay-fencing/n3-bmc must hold ip, username, password" in answer.stdout
    spec = cluster.get(Host, "n3")["spec"]
    assert spec["maintenance"]["mode"] == "Cordon"
    (device,) = spec["fencing"]["levels"][0]["devices"]
    assert (device["agent"], device["parameters"], device["secretRef"]) == (
        "fence_redfish",
        {"ip": "192.0.2.101"},
        {"name": "n3-bmc"},
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["n4", "--labels", "rack"], "not key=value", id="labels"),
        pytest.param(["n4", "--bmc-secret", "x"], "belong to --bmc", id="a secret without a BMC"),
        pytest.param(
            ["n4", "--bmc", "fence_x", "--bmc-parameter", "password=x"], "password", id="a password on the line"
        ),
        pytest.param(["n4", "--heartbeat", "quick"], "heartbeat", id="no such profile"),
        pytest.param(["n4", "--bmc", "ipmi"], "agent", id="no fence agent"),
        pytest.param(["n4", "--bmc", "fence_sbd"], "prove nothing of what runs there", id="no power"),
    ],
)
def test_nonsense_is_told_before_anything_is_written(words: list[str], said: str) -> None:
    cluster = Cluster()
    answer = cluster.run("host", "add", *words)
    assert answer.exit_code == 2 and said in answer.output
    assert not cluster.store.bodies(kind_of(Host))


def test_a_dry_run_prints_manifests_and_writes_nothing() -> None:
    cluster = Cluster()
    bodies = list(yaml.safe_load_all(cluster.run("host", "add", "n4", "--dry-run", "-o", "yaml").stdout))
    assert [body["kind"] for body in bodies] == [
        "Host",
        "ServiceAccount",
        "Secret",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ]
    assert not cluster.store.bodies(kind_of(Host))


def test_a_host_that_holds_something_is_not_removed() -> None:
    cluster = a_cluster()
    answer = cluster.run("host", "remove", "n1")
    assert (
        answer.exit_code == NOT_NOW and "n1 still holds shop/web-0: `backstay drain n1 --wait` first" in answer.stderr
    )
    assert cluster.get(Host, "n1")
    assert cluster.run("host", "remove", "n2").exit_code == WELL
    assert [body["metadata"]["name"] for body in cluster.store.bodies(kind_of(Host))] == ["n1", "n3"]


# --- the rest --------------------------------------------------------------------------------------------------------


def test_without_a_kubeconfig_one_sentence_says_so(tmp_path: Path) -> None:
    answer = CliRunner().invoke(build(), ["status", "--kubeconfig", str(tmp_path / "none")])
    assert answer.exit_code == FAILED and "no usable kubeconfig" in answer.stderr


def test_a_dry_run_asks_nobody_and_needs_no_kubeconfig(tmp_path: Path) -> None:
    words = ["host", "add", "n4", "--dry-run", "--kubeconfig", str(tmp_path / "none")]
    answer = CliRunner().invoke(build(), words)
    assert answer.exit_code == WELL, answer.stderr
    assert next(yaml.safe_load_all(answer.stdout))["metadata"]["name"] == "n4"


def test_every_command_has_a_help_that_names_its_exit_codes() -> None:
    for words in (
        ["status"],
        ["explain"],
        ["move"],
        ["drain"],
        ["undrain"],
        ["fence"],
        ["uninstall"],
        ["host", "add"],
        ["host", "remove"],
    ):
        answer = CliRunner().invoke(build(), [*words, "--help"])
        assert answer.exit_code == 0 and "Exit codes:" in answer.stdout and "--kubeconfig" in answer.stdout
