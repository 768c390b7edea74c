"""Drivers on a real host: each story of `on_hosts/drivers_stories_*.py` is told inside a lab's machine."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.lab import AGENT_CODE, Lab

pytestmark = pytest.mark.hosts

HERE = Path(__file__).parent / "on_hosts"
FILES = {
    name: (HERE / f"{name}.py").read_text()
    for name in (
        "drivers_scene",
        "drivers_stories_units",
        "drivers_stories_commands",
        "drivers_stories_closure",
        "drivers_stories_elsewhere",
        "drivers_stories_admin",
        "drivers_stories_overrides",
        "drivers_stories_types",
        "drivers_stories_execution",
        "drivers_stories_mounts",
    )
}
ON_THE_HOST = "/opt/drivers-stories"
FOR_THE_NEXT_BOOT = (
    "a_unit_is_secured_and_enabled_for_the_next_boot",
    "an_umbrella_and_its_worker_are_secured_for_the_next_boot",
)
STORIES = {
    part.name: module
    for module, text in FILES.items()
    for part in ast.parse(text).body
    if isinstance(part, ast.AsyncFunctionDef) and any(ast.unparse(mark) == "story" for mark in part.decorator_list)
}


@pytest.fixture
def host(lab: Lab) -> Iterator[LabHost]:
    host = lab["n3"]
    for name, text in FILES.items():
        host.write_file(f"{ON_THE_HOST}/{name}.py", text)
    try:
        yield host
    finally:
        host.run("sh", "-c", _TIDY)


# Every unit of these stories begins with `d-`.
_TIDY = """
systemctl stop 'd-*' 'backstay-cmd-*'; systemctl disable d-boot.service d-pg.service; systemctl reset-failed
rm -rf /etc/init.d/d-* /etc/rc?.d/???d-*
rm -rf /etc/systemd/system/d-* /opt/drivers /opt/drivers-stories /run/d-* /run/backstay/gates; systemctl daemon-reload
""".replace("\n", " 2>/dev/null;\n", 1)


def tell(host: LabHost, story: str) -> str:
    return host.run("env", f"PYTHONPATH={AGENT_CODE}:{ON_THE_HOST}", "python3", "-m", STORIES[story], story)


@pytest.mark.parametrize("story", [story for story in STORIES if story not in FOR_THE_NEXT_BOOT])
def test_story(host: LabHost, story: str) -> None:
    assert tell(host, story).endswith("told\n")


def test_an_enabled_unit_does_not_start_at_boot_by_itself_nor_what_an_umbrella_pulls_in(host: LabHost) -> None:
    for story in FOR_THE_NEXT_BOOT:
        tell(host, story)
    host.reboot()
    for unit in ("d-boot.service", "d-pg.service"):
        assert host.run("systemctl", "is-enabled", unit) == "enabled\n"
        assert host.run("systemctl", "is-active", unit, check=False) == "inactive\n"
    assert host.run("systemctl", "is-active", "d-pg@15-main.service", check=False) == "inactive\n"
