"""A unit cannot start without us, and no name can be made to reach anything else on the disk."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.drivers.tools.units import (
    DROP_IN,
    UnitFiles,
    belongs_to_host,
    drop_in_text,
    gate_name,
    refusal,
    write_in,
)


@pytest.mark.parametrize(
    "unit",
    [
        "nginx.service",
        "postgresql@15-main.service",
        "a\\x2db.service",
        "web.socket",
        "nightly.timer",
        "x:y.target",
        "srv-db.mount",
        "var-lib-postgresql.mount",
    ],
)
def test_units_that_a_service_may_consist_of(unit: str) -> None:
    assert refusal(unit) is None


@pytest.mark.parametrize(
    ("unit", "why"),
    [
        pytest.param("../../x.service", "is not the name", id="path traversal"),
        pytest.param("/etc/passwd", "is not the name", id="absolute path"),
        pytest.param("-.mount", "belongs to the host itself", id="the root mount"),
        pytest.param("boot-efi.mount", "belongs to the host itself", id="a mount that the host boots from"),
        pytest.param("var-lib-backstay.mount", "belongs to the host itself", id="where the agent remembers"),
        pytest.param("-.slice", "belongs to the host itself", id="the root slice"),
        pytest.param("system.slice", "belongs to the host itself", id="the slice of all services"),
        pytest.param("system-web.slice", "is a slice: what runs in it starts whether", id="a slice of instances"),
        pytest.param("srv-db.automount", "detaches its path lazily", id="an automount"),
        pytest.param("web.swap", "is not the name", id="another kind of unit"),
        pytest.param("-rf.service", "begins with a dash, as an option does", id="option look-alike"),
        pytest.param("--now.service", "begins with a dash", id="long option look-alike"),
        pytest.param("web*.service", "is not the name", id="glob"),
        pytest.param("web?.service", "is not the name", id="glob of one"),
        pytest.param("web[12].service", "is not the name", id="glob of some"),
        pytest.param("nginx", "is not the name", id="no suffix"),
        pytest.param("", "is not the name", id="empty"),
        pytest.param("x.service\n[Service]", "is not the name", id="newline"),
        pytest.param("x.service\n", "is not the name", id="trailing newline"),
        pytest.param("x\0.service", "is not the name", id="NUL"),
        pytest.param("$(reboot).service", "is not the name", id="shell"),
        pytest.param("`reboot`.service", "is not the name", id="backticks"),
        pytest.param("a;b.service", "is not the name", id="semicolon"),
        pytest.param("%n.service", "is not the name", id="specifier of systemd"),
        pytest.param("ngіnx.service", "is not the name", id="homoglyph"),
        pytest.param("x" * 260 + ".service", "is not the name", id="too long for a file name"),
        pytest.param(".service", "is not the name", id="suffix only"),
        pytest.param("..service", "no name before its suffix", id="dots"),
        pytest.param("...service", "no name before its suffix", id="more dots"),
        pytest.param("@x.service", "no name before its suffix", id="instance of nothing"),
        pytest.param("foo@.service", "is a template: name one of its instances, like foo@main.service", id="template"),
        pytest.param("backstay-guard.service", "belongs to the host itself", id="our own guard"),
        pytest.param("backstay-agent.service", "belongs to the host itself", id="the agent"),
        pytest.param("ssh.service", "belongs to the host itself", id="ssh"),
        pytest.param("sshd@7-1.service", "belongs to the host itself", id="an ssh session"),
        pytest.param("dbus.socket", "belongs to the host itself", id="dbus"),
        pytest.param("systemd-journald.service", "belongs to the host itself", id="systemd"),
        pytest.param("poweroff.target", "belongs to the host itself", id="a target that ends the host"),
    ],
)
def test_names_that_are_refused(unit: str, why: str) -> None:
    assert why in (refusal(unit) or "accepted")


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param("systemd-nspawn@web.service", id="a machine"),
        pytest.param("systemd-journal-remote.socket", id="a package of its own"),
        pytest.param("nginx.service", id="any other"),
    ],
)
def test_names_that_are_not_the_hosts(unit: str) -> None:
    assert refusal(unit) is None and not belongs_to_host(unit)


@given(st.text())
def test_a_name_that_is_not_refused_stays_one_component_of_a_path(unit: str) -> None:
    if refusal(unit) is None:
        assert Path("/a", f"{unit}.d").parent == Path("/a")
        assert Path("/a", gate_name(unit)).parent == Path("/a")
        assert unit.isascii() and unit.isprintable() and " " not in unit


@given(st.tuples(*[st.from_regex(r"[A-Za-z0-9:_.\\@-]{1,20}\.service", fullmatch=True)] * 2))
def test_no_two_units_share_a_gate(units: tuple[str, str]) -> None:
    first, second = units
    assert (gate_name(first) == gate_name(second)) == (first == second)


@pytest.fixture
def files(tmp_path: Path) -> UnitFiles:
    (tmp_path / "etc").mkdir()
    return UnitFiles(tmp_path / "etc", tmp_path / "run" / "gates")


def test_the_drop_in_shuts_the_unit_and_forbids_a_restart(files: UnitFiles, tmp_path: Path) -> None:
    assert files.write_drop_in("web.service")
    text = (tmp_path / "etc/web.service.d" / DROP_IN).read_text()
    assert (
        f"[Unit]\nConditionPathExists={files.gate('web.service')}\n[Service]\nEnvironment=BACKSTAY_UNIT=%n\n"
        "Restart=no\nRestartForceExitStatus=\n" in text
    )
    assert stat.S_IMODE((tmp_path / "etc/web.service.d" / DROP_IN).stat().st_mode) == 0o644


def test_units_without_a_service_section_get_none() -> None:
    assert "[Service]" not in drop_in_text("web.socket", Path("/gate"))


def test_only_what_differs_is_written(files: UnitFiles, tmp_path: Path) -> None:
    assert files.write_drop_in("web.service")
    assert not files.write_drop_in("web.service")
    (tmp_path / "etc/web.service.d" / DROP_IN).write_text("tampered")
    assert files.write_drop_in("web.service")
    assert "tampered" not in (tmp_path / "etc/web.service.d" / DROP_IN).read_text()


def test_our_drop_in_is_read_after_what_an_admin_writes() -> None:
    assert sorted(["override.conf", DROP_IN, "99-local.conf"])[-1] == DROP_IN


def test_only_our_own_drop_in_is_taken_away(files: UnitFiles, tmp_path: Path) -> None:
    folder = tmp_path / "etc/web.service.d"
    files.write_drop_in("web.service")
    (folder / "override.conf").write_text("[Service]\nNice=5\n")
    assert files.remove_drop_in("web.service")
    assert not files.remove_drop_in("web.service")
    assert [file.name for file in folder.iterdir()] == ["override.conf"]
    (folder / DROP_IN).write_text("somebody else's")
    assert not files.remove_drop_in("web.service")


def test_an_empty_folder_goes_with_its_drop_in(files: UnitFiles, tmp_path: Path) -> None:
    files.write_drop_in("web.service")
    files.remove_drop_in("web.service")
    assert list((tmp_path / "etc").iterdir()) == []


@pytest.mark.parametrize("name", ["web.service.d", f"web.service.d/{DROP_IN}"])
def test_a_link_is_never_followed(files: UnitFiles, tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / DROP_IN).write_text("precious")
    link = tmp_path / "etc" / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(precious / DROP_IN if name.endswith(DROP_IN) else precious)
    with pytest.raises(OSError):
        files.write_drop_in("web.service")
    assert (precious / DROP_IN).read_text() == "precious"
    assert list(precious.iterdir()) == [precious / DROP_IN]


def test_gates_open_and_shut(files: UnitFiles) -> None:
    assert not files.is_open("web.service")
    files.open_gate("web.service")
    files.open_gate("web.service")
    assert files.is_open("web.service")
    assert not files.is_open("other.service")
    files.shut_gate("web.service")
    files.shut_gate("web.service")
    assert not files.is_open("web.service")


def test_an_unchecked_name_never_reaches_the_disk(files: UnitFiles) -> None:
    with pytest.raises(AssertionError):
        files.open_gate("../../x.service")


def test_a_part_says_whose_it_is_and_keeps_its_own_restarts(files: UnitFiles, tmp_path: Path) -> None:
    assert files.write_drop_in("worker.service", "umbrella.service")
    assert not files.write_drop_in("worker.service", "umbrella.service")
    assert files.owner("worker.service") == "umbrella.service"
    assert "Restart=" not in (tmp_path / "etc/worker.service.d" / DROP_IN).read_text()
    files.write_drop_in("umbrella.service")
    assert files.parts("umbrella.service") == ["worker.service"]
    assert (files.owners(), files.with_drop_in()) == (["umbrella.service"], ["umbrella.service", "worker.service"])


def test_a_unit_that_is_named_itself_is_nobodys_part(files: UnitFiles) -> None:
    files.write_drop_in("worker.service")
    assert not files.write_drop_in("worker.service", "umbrella.service"), "named by another service: left alone"
    assert files.owner("worker.service") == "worker.service"
    files.remove_drop_in("worker.service")
    files.write_drop_in("worker.service", "umbrella.service")
    assert files.write_drop_in("worker.service"), "now it is named: its restarts are ours as well"
    assert files.owner("worker.service") == "worker.service"


def test_the_parts_of_a_unit_are_known_to_the_next_life_and_as_they_change(files: UnitFiles, tmp_path: Path) -> None:
    for part in ("one.service", "two.service"):
        files.write_drop_in(part, "umbrella.service")
    next_life = UnitFiles(tmp_path / "etc", tmp_path / "run" / "gates")
    assert next_life.parts("umbrella.service") == ["one.service", "two.service"]
    next_life.write_drop_in("three.service", "umbrella.service")
    next_life.remove_drop_in("one.service")
    next_life.write_drop_in("two.service")  # it is named itself now
    assert next_life.parts("umbrella.service") == ["three.service"]


def test_a_drop_in_that_names_a_strange_owner_is_its_own(files: UnitFiles, tmp_path: Path) -> None:
    files.write_drop_in("worker.service", "umbrella.service")
    file = tmp_path / "etc/worker.service.d" / DROP_IN
    file.write_text(file.read_text().replace("umbrella.service", "../../x"))
    assert files.owner("worker.service") == "worker.service"


def test_a_file_is_on_the_platter_before_it_has_its_name_and_its_name_after_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut leaves an empty file, or none: a unit that starts by itself."""
    done: list[str] = []
    rename = os.rename
    monkeypatch.setattr(os, "fsync", lambda file: done.append(os.path.basename(os.readlink(f"/proc/self/fd/{file}"))))

    def renamed(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        done.append("named")
        rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", renamed)
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    write_in(folder, "a.conf", b"text")
    os.close(folder)
    assert done == [".a.conf.new", "named", tmp_path.name]
    assert (tmp_path / "a.conf").read_text() == "text"
