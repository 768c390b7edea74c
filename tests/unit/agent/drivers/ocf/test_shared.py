"""What agents with roles note is found by their like: the latest, whoever noted it; bounded, and after a boot what is meant to last."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from backstay_agent.drivers.ocf import helpers
from backstay_api.objects.models.roles import Attribute

ROLES = {"OCF_RESOURCE_INSTANCE": "db", "OCF_RESKEY_CRM_meta_promoted_max": "1"}
HOST = os.uname().nodename
REPL = "crm_attribute --type crm_config --name db_REPL_INFO -s redis_replication"
STATUS = "crm_attribute -l reboot -N n2 -n db-status"


class Cluster:
    """This host, and what it is told of others."""

    def __init__(self, folder: Path) -> None:
        self.places = (folder / "run", folder / "var")
        self.shared = helpers.Shared("db", self.places)

    def asks(self, said: str) -> tuple[int, str]:
        return helpers.answer(said.split(), ROLES, places=self.places)


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.mark.parametrize(
    ("said", "code", "answer"),
    [
        pytest.param(f"{REPL} --query -q", 0, "n2", id="the cluster's, as redis and mariadb ask for it"),
        pytest.param(f"{STATUS} -G -q", 0, "STREAMING|SYNC", id="another host's, as pgsql asks for it"),
        pytest.param("crm_attribute -l forever -N n2 -n db-status -G -q", 105, "", id="what lasts is another attribute"),
        pytest.param("crm_attribute -l reboot -N n3 -n db-status -G -q", 105, "", id="of a third host nothing is known"),
        pytest.param("crm_attribute -l reboot -N n3 -n db-status -G -q -d none", 0, "none", id="but what is asked for"),
        pytest.param("crm_attribute -N n2 -l reboot --name gone --quiet", 105, "", id="it was deleted"),
        pytest.param("crm_master -N n2 -l reboot -G --quiet", 0, "100", id="another's promotion score"),
        pytest.param("attrd_updater -n db-status -N n2 -Q", 0, 'name="db-status" host="n2" value="STREAMING|SYNC"', id="attrd"),
        pytest.param("crm_node -p", 0, f"{' '.join(sorted(['n2', 'n3', HOST]))}", id="who is there"),
        pytest.param("crm_resource -B -r db -N n2 -Q", 69, "", id="and no more than that"),
    ],
)  # fmt: skip
def test_an_agent_finds_what_others_have_noted(cluster: Cluster, said: str, code: int, answer: str) -> None:
    noted: helpers.Noted = {
        "Cluster  db_REPL_INFO": [3, "n2"],
        "Reboot n2 db-status": [1, "STREAMING|SYNC"],
        "Reboot n2 gone": [2, None],
        "Reboot n2 master-db": [1, "100"],
    }
    cluster.shared.tell("n2", ["n2", "n3"], noted)
    found = cluster.asks(said)
    assert found[0] == code and (code != 0 or found[1] == answer)


def test_who_notes_last_is_believed_by_all(cluster: Cluster) -> None:
    cluster.shared.tell("n2", ["n2"], {"Cluster  db_REPL_INFO": [3, "n2"]})
    assert cluster.asks(f"{REPL} -v {HOST} -q") == (0, "")
    assert cluster.asks(f"{REPL} --query -q") == (0, HOST)
    assert cluster.shared.own == {"Cluster  db_REPL_INFO": [4, HOST]}
    cluster.shared.tell("n3", ["n3"], {"Cluster  db_REPL_INFO": [5, "n3"]})
    assert cluster.asks(f"{REPL} --query -q") == (0, "n3")
    assert cluster.asks("crm_attribute --type crm_config --name db_REPL_INFO -D") == (0, "")
    assert cluster.asks(f"{REPL} --query -q")[0] == 105 and cluster.shared.own == {"Cluster  db_REPL_INFO": [6, None]}


def test_no_number_is_noted_that_the_api_refuses(cluster: Cluster) -> None:
    cluster.shared.tell("n2", ["n2"], {"Cluster  db_REPL_INFO": [10**15 - 1, "n2"]})
    assert cluster.asks(f"{REPL} -v {HOST} -q") == (0, "")
    [noted] = cluster.shared.own.items()
    Attribute(name="db_REPL_INFO", scope="Cluster", number=noted[1][0], value=noted[1][1])


def test_no_name_is_noted_that_the_api_refuses(cluster: Cluster) -> None:
    longest = "a" * 200
    assert cluster.asks(f"crm_attribute -n {longest} -v 1") == (0, "")
    Attribute(name=longest, scope="Forever", number=1)
    assert cluster.asks(f"crm_attribute -n {longest}a -v 1")[0] == 64


def test_what_is_so_already_is_not_noted_again(cluster: Cluster) -> None:
    cluster.shared.tell("n2", ["n2"], {"Cluster  db_REPL_INFO": [3, "n2"]})
    assert cluster.asks(f"{REPL} -v n2 -q") == (0, "") and cluster.asks("crm_master -D") == (0, "")
    assert cluster.shared.own == {}


@pytest.mark.parametrize("value", ["x" * 513, "two\nlines", "\x1b[2J"])
def test_what_no_host_could_be_told_is_refused(cluster: Cluster, value: str) -> None:
    code, why = helpers.answer(["crm_attribute", "-n", "a", "-v", value], ROLES, places=cluster.places)
    assert code == 69 and why.endswith("none that cannot be printed") and cluster.shared.own == {}


def test_more_than_there_is_room_for_is_refused_and_what_was_deleted_makes_room(cluster: Cluster) -> None:
    for number in range(helpers.MOST):
        assert cluster.asks(f"crm_attribute -n a{number} -v 1") == (0, "")
    assert cluster.asks("crm_attribute -n more -v 1") == (
        69,
        "crm_attribute: Backstay keeps no more than 64 attributes of db on one host",
    )
    assert cluster.asks("crm_attribute -n a0 -D") == (0, "") and cluster.asks("crm_attribute -n more -v 1") == (0, "")
    assert len(cluster.shared.own) == helpers.MOST


def test_after_a_boot_is_there_what_was_to_last(cluster: Cluster) -> None:
    for said in (
        f"{REPL} -v n1",
        "crm_attribute -l forever -n data -v LATEST",
        "crm_attribute -l reboot -n status -v PRI",
    ):
        assert cluster.asks(said) == (0, "")
    shutil.rmtree(cluster.places[0])
    assert cluster.shared.own == {"Cluster  db_REPL_INFO": [1, "n1"], f"Forever {HOST} data": [1, "LATEST"]}


def test_half_a_file_is_none(cluster: Cluster) -> None:
    cluster.shared.tell("n2", ["n2"], {})
    (cluster.places[0] / ".roles/db.told").write_text(json.dumps(cluster.shared.told)[:-5])
    assert cluster.shared.told == {} and cluster.asks("crm_node -p") == (0, HOST)


def test_an_agent_sees_which_copy_is_promoted(cluster: Cluster) -> None:
    cluster.shared.tell("n2", ["n2", "n3"], {})
    code, text = cluster.asks("crm_mon -1 --output-as=xml")
    found = [(one.get("role"), one[0].get("name")) for one in ElementTree.fromstring(text).iter("resource")]
    assert (code, found) == (0, [("Promoted", "n2"), ("Unpromoted", "n3")])
    # As agents look for it, on one line.
    assert re.search(r'<resource id="db" .* role="(Promoted|Master)"', text)  # pgsql
    assert re.search(
        r'resource.*id="db".* role="(Promoted|Master)".* active="true".* orphaned="false".* failed="false"', text
    )


def test_a_host_of_which_something_was_noted_is_there_when_it_is_off(cluster: Cluster) -> None:
    cluster.shared.tell("n2", ["n2"], {"Forever n3 data": [1, "LATEST"], "Cluster  db_REPL_INFO": [1, "n2"]})
    text = cluster.asks("crm_mon -1 --output-as=xml")[1]
    found = {one.get("name"): one.get("online") for one in ElementTree.fromstring(text).iter("node") if one.get("id")}
    assert found == {HOST: "true", "n2": "true", "n3": "false"}


def test_its_own_promotion_score_is_what_it_noted_here(cluster: Cluster) -> None:
    cluster.shared.tell("n2", ["n2"], {"Reboot n2 master-db": [1, "100"]})
    assert helpers.promotion_score("db", places=cluster.places) == "has set no promotion score (crm_master) here"
    cluster.asks("crm_master -l reboot -v 7")
    assert helpers.promotion_score("db", places=cluster.places) == 7
    cluster.asks("crm_master -l reboot -D")
    assert helpers.promotion_score("db", places=cluster.places) == "has set no promotion score (crm_master) here"


@pytest.mark.parametrize("words", [f"-B -r db -N {HOST} -Q", "--ban --resource=db"])
def test_who_wants_its_own_copy_banned_here_is_not_promoted(cluster: Cluster, words: str) -> None:
    cluster.asks("crm_master -l reboot -v 100")
    assert cluster.asks(f"crm_resource {words}") == (0, "")
    assert "has set its promotion score (crm_master) to -INFINITY" in str(
        helpers.promotion_score("db", places=cluster.places)
    )


@pytest.mark.parametrize("words", ["-B -r other", "-B -r db -N n2", "-r db --move", "-r db -Q"])
def test_whatever_else_is_asked_of_the_cluster_is_refused(cluster: Cluster, words: str) -> None:
    assert cluster.asks(f"crm_resource {words}") == (69, "crm_resource: Backstay has no answer to this")


def test_what_has_no_roles_is_told_of_this_host_alone(cluster: Cluster) -> None:
    cluster.shared.tell("n2", ["n2"], {"Cluster  db_REPL_INFO": [3, "n2"]})
    alone = {"OCF_RESOURCE_INSTANCE": "db"}
    assert helpers.answer(f"{REPL} --query -q".split(), alone, places=cluster.places)[0] == 105
    assert helpers.answer(["crm_node", "-p"], alone, places=cluster.places) == (0, HOST)
