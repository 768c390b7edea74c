"""What agents with roles are told: nothing of it, as long as nobody asks for roles."""

from backstay_agent.drivers.ocf.environment import environment
from backstay_agent.drivers.ocf.roles import Copies, clone_metas, notify_metas
from backstay_api.objects.plain import Ocf

META = "OCF_RESKEY_CRM_meta_"
OCF = Ocf(agent="heartbeat:redis", instance="r")


def metas(**roles: str) -> dict[str, str]:
    said = environment(OCF, "notify", host="n1", timeout_s=20, roles=roles)
    return {name.removeprefix(META): value for name, value in said.items() if name.startswith(META)}


def test_a_single_copy_is_told_of_no_roles() -> None:
    assert metas().keys() == {"name", "timeout", "interval", "on_node", "on_node_uuid"}


def test_a_copy_of_several_is_told_how_many_by_the_old_names_too() -> None:
    said = metas(**clone_metas(copies=3, promoted=2))
    assert (said["clone_max"], said["promoted_max"], said["master_max"], said["notify"]) == ("3", "2", "2", "true")
    assert (said["promotable"], said["promoted_node_max"], said["master_node_max"]) == ("true", "1", "1")
    assert said["name"] == "notify" and said["timeout"] == "20000"


def test_a_notification_lists_where_the_copies_are() -> None:
    copies = Copies(active=("n1", "n2"), promoted=("n1",), unpromoted=("n2",), inactive=("n3",), demote=("n1",))
    said = metas(**notify_metas("pre", "demote", "r", copies))
    assert (said["notify_type"], said["notify_operation"]) == ("pre", "demote")
    lists = ("active", "promoted", "master", "unpromoted", "slave", "inactive", "demote", "promote", "start", "stop")
    assert [said[f"notify_{name}_uname"] for name in lists] == ["n1 n2", *["n1"] * 2, *["n2"] * 2, "n3", "n1", *" " * 3]
    assert (said["notify_active_resource"], said["notify_slave_resource"]) == ("r r", "r")
    assert said["notify_all_uname"] == said["notify_available_uname"] == "n1 n2 n3"
