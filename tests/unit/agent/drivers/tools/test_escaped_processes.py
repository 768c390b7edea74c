"""Work that has left its control group, known by its mark or by its parents."""

import signal
import subprocess
from pathlib import Path

from backstay_agent.drivers.tools import escaped_processes
from backstay_agent.drivers.tools.escaped_processes import among, snapshot

GROUP = "/system.slice/box.service"


def process(proc: Path, pid: int, parent: int, group: str, environment: str = "", state: str = "S") -> None:
    folder = proc / str(pid)
    folder.mkdir()
    rest = " ".join(str(number) for number in range(5, 22))
    (folder / "stat").write_text(f"{pid} (a ) b) {state} {parent} {rest} {rest}\n")
    (folder / "cgroup").write_text(f"0::{group}\n")
    (folder / "environ").write_bytes(environment.replace(" ", "\0").encode())
    (folder / "comm").write_text("sleep\n")


def found(proc: Path) -> list[int]:
    return sorted(one.pid for one in among(["box.service"], [GROUP], snapshot(proc), proc=proc))


def test_escaped_processes_are_known_by_their_mark_or_their_parents(tmp_path: Path) -> None:
    mark = "A=1 BACKSTAY_UNIT=box.service"
    process(tmp_path, 1, 0, "/init.scope")
    process(tmp_path, 10, 1, GROUP, mark)
    process(tmp_path, 11, 10, f"{GROUP}/payload", mark)
    process(tmp_path, 20, 1, "/system.slice/payload.scope", mark)  # its parent is gone: the mark tells
    process(tmp_path, 30, 10, "/machine.slice/box.scope")  # a container: its environment is new, its parent tells
    process(tmp_path, 31, 30, "/machine.slice/box.scope")
    process(tmp_path, 40, 1, "/system.slice/other.service", "BACKSTAY_UNIT=box.service.other")
    process(tmp_path, 50, 1, "/system.slice/boxer.service")
    process(tmp_path, 60, 10, "/x", mark, state="Z")
    assert found(tmp_path) == [20, 30, 31]


def test_a_group_whose_name_only_begins_the_same_is_another(tmp_path: Path) -> None:
    process(tmp_path, 10, 1, f"{GROUP}d", "BACKSTAY_UNIT=box.service")
    assert found(tmp_path) == [10]


def test_a_signal_goes_to_the_process_that_was_seen_and_to_nobody_who_has_its_number_by_now() -> None:
    with subprocess.Popen(["sleep", "100"]) as process:
        born = escaped_processes.birth(f"/proc/{process.pid}")
        escaped_processes.send(process.pid, f"{born}1", signal.SIGKILL)
        escaped_processes.send(process.pid, "", signal.SIGKILL)
        escaped_processes.send(process.pid, born, signal.SIGTERM)
        assert born and process.wait() == -signal.SIGTERM, "of the first two it knows nothing"
    assert escaped_processes.birth("/proc/0") == ""
