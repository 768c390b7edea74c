"""What each source of a survey takes, and what it leaves where it is: no value of anything."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from backstay_agent.survey import host as of_the_host
from backstay_agent.survey import mounts, packages, processes, sizes
from backstay_agent.survey.mentions import MOST_FILES, mentions
from backstay_agent.survey.sources import SOURCES
from backstay_api.objects.survey import MountFacts, PathFacts, ProgramFacts, Survey, merged, survey_text
from backstay_testing.surveys import FolderHost, a_path, a_survey

SECRET = "s3cret"


@pytest.fixture
def host(tmp_path: Path) -> FolderHost:
    return FolderHost(tmp_path)


def clues(survey: Survey, path: str) -> list[tuple[str, str, str]]:
    return [(clue.how, clue.where, clue.word) for one in survey.paths if one.path == path for clue in one.clues]


def test_each_source_has_its_name_once_and_a_limit() -> None:
    names = [source.name for source in SOURCES]
    assert len(set(names)) == len(names) == 17 and all(0 < source.limit_s <= 10 and source.reads for source in SOURCES)


# --- processes -----------------------------------------------------------------------------------------------------------


def test_of_arguments_and_environment_only_paths_and_names_are_kept(host: FolderHost) -> None:
    host.write("/etc/shop.conf")
    host.write("/srv/key")
    words = (
        "--password=s3cret-1",
        "--token",
        "s3cret-2",
        "-c",
        "/etc/shop.conf",
        "key=/srv/key",
        "/s3cret-3/of/nobody",
        "postgres://u:s3cret-4@db:5432/x",
    )
    host.process(
        7,
        "/usr/sbin/shop",
        *words,
        environment=f"HOME=/x\0PASSWORD={SECRET}-5\0s3cret-6\0",
        files=("/srv/key", "socket:[1]", "/gone (deleted)"),
    )
    base = merged(a_survey(), processes.processes(host.place, [7], a_survey()))
    for look in (processes.code, processes.open_files):
        base = merged(base, look(host.place, base))
    assert clues(base, "/etc/shop.conf") == [("Argument", "process shop", "-c")]
    assert clues(base, "/srv/key") == [("Argument", "process shop", "key"), ("Written", "process shop", "")]
    assert [how for how, _, _ in clues(base, "/usr/sbin/shop")] == ["Executed", "Mapped"]
    assert base.programs == (ProgramFacts("/usr/sbin/shop", (7,), 33, 33, (33, 103)),)
    assert SECRET not in survey_text(base)


def test_the_names_of_variables_are_kept(host: FolderHost) -> None:
    host.process(7, "/usr/sbin/shop", environment=f"HOME=/x\0PASSWORD={SECRET}\0not a name=1\0")
    assert processes.processes(host.place, [7], a_survey()).main.variables == ("HOME", "PASSWORD")


@pytest.mark.parametrize("lost", ["exe", "stat", "status"])
def test_a_process_that_goes_while_it_is_read_is_none(host: FolderHost, lost: str) -> None:
    host.process(7, "/usr/sbin/shop")
    (host.root / f"proc/7/{lost}").unlink()
    seen = processes.processes(host.place, [7, 8], a_survey()).programs
    assert seen == (() if lost != "status" else (ProgramFacts("/usr/sbin/shop", (7,), -1, -1, ()),))


def test_of_very_many_processes_the_rest_is_told_of(host: FolderHost) -> None:
    found = processes.processes(host.place, range(1, 10_000), a_survey())
    assert [one.why for one in found.skipped] == ["only the first 512 of 9999"]


# --- mentions ------------------------------------------------------------------------------------------------------------


def of_configuration(host: FolderHost, text: str, *paths: PathFacts) -> Survey:
    host.write("/etc/shop/shop.conf", text)
    return mentions(host.place, a_survey(a_path("/etc/shop/shop.conf", "Argument"), *paths))


def test_a_path_is_told_with_its_line_and_directive(host: FolderHost) -> None:
    host.write("/srv/shop/index.html")
    found = of_configuration(host, "# root /etc/hosts\n\n  root /srv/shop;\nother = /not/there\n")
    assert clues(found, "/srv/shop") == [("Mentioned", "/etc/shop/shop.conf:3", "root")]
    assert {one.path for one in found.paths} == {"/srv/shop", "/etc/shop/shop.conf"}


@pytest.mark.parametrize(
    ("line", "path"),
    [
        pytest.param("include /etc/shop/conf.d/*.conf;", "/etc/shop/conf.d/a.conf", id="by a pattern"),
        pytest.param("include_dir = 'conf.d'", "/etc/shop/conf.d", id="beside the file"),
        pytest.param("include conf.d/*.conf", "/etc/shop/conf.d/a.conf", id="by a pattern beside the file"),
    ],
)
def test_what_is_included_is_mentioned(host: FolderHost, line: str, path: str) -> None:
    host.write("/etc/shop/conf.d/a.conf", "x")
    assert ("Mentioned", "/etc/shop/shop.conf:1", line.split()[0]) in clues(of_configuration(host, line), path)


def test_no_value_of_a_configuration_is_kept_and_a_secret_file_is_not_followed(host: FolderHost) -> None:
    host.write("/srv/x")
    host.write("/etc/shop/id.key", "-----BEGIN PRIVATE KEY-----\ns3cret /srv/x\n")
    text = "password s3cret-1 /srv/x\ns3cret-2 /srv/x\nurl = postgres://u:s3cret-3@db.example.org:5432/x\nadmin:55555\nkey /etc/shop/id.key\n"
    found = of_configuration(host, text)
    assert SECRET not in survey_text(found) and "55555" not in survey_text(found)
    assert clues(found, "/srv/x") == [
        ("Mentioned", "/etc/shop/shop.conf:1", "password"),
        ("Mentioned", "/etc/shop/shop.conf:2", ""),
    ]
    assert [one.path for one in found.paths if one.is_secret] == ["/etc/shop/id.key"]


@pytest.mark.parametrize(
    ("text", "endpoints"),
    [
        pytest.param("proxy_pass http://app.internal:9000/x;", [("app.internal", 9000)], id="behind a scheme"),
        pytest.param("server 192.0.2.9:8080", [("192.0.2.9", 8080)], id="an address of numbers"),
        pytest.param("server [2001:db8::1]:8080", [("2001:db8::1", 8080)], id="of the sixth version"),
        pytest.param("http://localhost:80 127.0.0.1:80 0.0.0.0:80", [], id="this host itself"),
        pytest.param("root:12345 http://u:12345@h:1 x://h:99999", [], id="a user and a password, or no port"),
    ],
)
def test_another_host_is_told_where_nothing_else_can_be_meant(
    host: FolderHost, text: str, endpoints: list[tuple[str, int]]
) -> None:
    assert [(one.address, one.port) for one in of_configuration(host, text).endpoints] == endpoints


def test_a_binary_a_fifo_and_a_loop_in_conf_d_stop_nothing(host: FolderHost) -> None:
    host.write("/etc/shop/conf.d/1", b"\0/srv/x\0" * 100)
    host.fifo("/etc/shop/conf.d/2")
    host.link("/etc/shop/conf.d/3", "3")
    host.write("/etc/shop/conf.d/4", "x" * 65536 + "\nroot /srv/x\n")
    host.write("/srv/x")
    found = of_configuration(host, "include /etc/shop/conf.d/*\n")
    assert clues(found, "/srv/x") == [("Mentioned", "/etc/shop/conf.d/4:2", "root")]


def test_of_very_many_files_the_rest_is_told_of(host: FolderHost) -> None:
    for number in range(MOST_FILES + 100):
        host.write(f"/etc/shop/conf.d/{number}", "x")
    found = of_configuration(host, "include /etc/shop/conf.d/*\n")
    assert [one.source for one in found.skipped] == ["mentions"]


# --- the host --------------------------------------------------------------------------------------------------------------


def test_of_an_environment_file_names_are_kept(host: FolderHost) -> None:
    host.write("/etc/default/shop", f"# A=1\nPASSWORD={SECRET}\nexport TOKEN={SECRET}\n  {SECRET} x=1\n")
    found = of_the_host.environment(host.place, a_survey(a_path("/etc/default/shop", "Environment", "shop.service")))
    assert found.main.variables == ("PASSWORD", "TOKEN") and SECRET not in survey_text(found)


def test_users_and_all_their_groups_are_told_by_number(host: FolderHost) -> None:
    host.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nshop:x:33:33::/srv:/bin/false\n")
    host.write("/etc/group", "shop:x:33:\nssl-cert:x:103:shop\nbroken\n")
    base = a_survey(
        programs=(ProgramFacts("/usr/sbin/shop", (7,), 33, 33, (33, 103)), ProgramFacts("/usr/sbin/shop", (6,), 0, 0))
    )
    found = of_the_host.accounts(host.place, base).accounts
    assert [(one.type, one.name, one.number) for one in found] == [
        ("User", "shop", 33),
        ("Group", "shop", 33),
        ("Group", "ssl-cert", 103),
    ]


def test_an_owner_is_found_by_either_name_of_a_merged_folder_and_a_change_is_seen(host: FolderHost) -> None:
    host.write("/usr/lib/x/lib.so")
    host.write("/etc/shop/shop.conf", "edited")
    shipped = hashlib.md5(b"as shipped", usedforsecurity=False).hexdigest()
    host.package("shop", "/lib/x/lib.so", conffiles={"/etc/shop/shop.conf": shipped})
    found = packages.packages(
        host.place, a_survey(a_path("/usr/lib/x/lib.so", "Mapped"), a_path("/etc/shop/shop.conf"))
    )
    assert {one.path: (one.package, one.is_conffile, one.is_changed) for one in found.paths} == {
        "/usr/lib/x/lib.so": ("shop", False, False),
        "/etc/shop/shop.conf": ("shop", True, True),
    }
    assert [(one.name, one.version) for one in found.packages] == [("shop", "1.2-3")]


def test_what_the_package_of_a_program_configures_is_found(host: FolderHost) -> None:
    host.write("/etc/shop/shop.conf")
    host.package("shop", "/usr/sbin/shop", conffiles={"/etc/shop/shop.conf": "0", "/etc/shop/gone": "0"})
    host.package("other", "/usr/bin/other", conffiles={"/etc/other.conf": "0"})
    found = packages.conffiles(host.place, a_survey(programs=(ProgramFacts("/usr/sbin/shop"),)))
    assert [one.path for one in found.paths] == ["/etc/shop/shop.conf"]


def test_a_filesystem_of_a_server_is_known_before_anything_on_it_is_asked(host: FolderHost) -> None:
    text = "1 0 0:50 / /srv/media rw shared:1 - nfs4 nas:/media rw\n2 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
    text += "3 0 0:3 / /proc rw - proc proc rw\nbroken\n"
    host.write("/proc/self/mountinfo", text)
    found = mounts.mounts(host.place, a_survey())
    assert [(one.point, one.type, one.is_network, one.is_shared) for one in found.mounts] == [
        ("/srv/media", "nfs4", True, True),
        ("/", "ext4", False, False),
    ]
    assert mounts.may_hang(found) == ("/srv/media",)


def test_a_disk_behind_multipath_below_a_volume_is_shared(host: FolderHost) -> None:
    for name, uuid in (("dm-1", "LVM-abc"), ("dm-0", "mpath-3600")):
        host.write(f"/sys/devices/{name}/dm/uuid", uuid)
        host.write(f"/sys/devices/{name}/dm/name", name)
    host.write("/sys/devices/dm-1/slaves/dm-0/dev", "253:0")
    host.link("/sys/dev/block/253:1", "/sys/devices/dm-1")
    host.link("/sys/dev/block/253:0", "/sys/devices/dm-0")
    host.write("/proc/self/mountinfo", "1 0 253:1 / /srv rw - xfs /dev/dm-1 rw\n")
    (mount,) = mounts.mounts(host.place, a_survey()).mounts
    assert mount == MountFacts(
        "/srv", "xfs", "/dev/dm-1", "/", ("logical volume dm-1", "shared multipath disk dm-0"), is_shared=True
    )


def test_data_is_counted_by_age_and_no_link_is_followed(host: FolderHost) -> None:
    young, old = host.write("/srv/shop/a", "x" * 10), host.write("/srv/shop/sub/b", "x" * 100)
    host.link("/srv/shop/loop", "/srv/shop")
    now_s = young.stat().st_mtime + 60
    os.utime(old, (0, 0))
    found = sizes.sizes(
        host.place, lambda: now_s, a_survey(a_path("/srv/shop", "Mentioned", "/etc/x:1", type="Directory"))
    )
    tree = found.paths[-1].tree
    assert tree and (tree.files, tree.bytes, tree.young_hour, tree.young_day, tree.is_cut) == (2, 110, 10, 10, False)


def test_what_is_written_below_no_named_folder_has_its_applications_own(host: FolderHost) -> None:
    host.write("/var/lib/shop/base/1", "x")
    found = sizes.sizes(host.place, lambda: 0.0, a_survey(a_path("/var/lib/shop/base/1", "Written")))
    assert {one.path for one in found.paths} == {"/var/lib/shop"}


def test_more_than_a_walk_may_look_at_is_said_to_be_more(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "MOST_ENTRIES", 5)
    for number in range(10):
        host.write(f"/srv/shop/{number}", "x")
    tree = sizes.tree(host.place, "/srv/shop", 0.0)
    assert tree.is_cut and tree.files == 5


def test_a_survey_is_json_of_a_known_format() -> None:
    assert json.loads(survey_text(a_survey()))["format"] == 1
