"""A host in a folder, for tests of a survey: files, processes and packages, as its sources read them (a fake of the host, not of its files)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backstay_agent.survey.place import Place
from backstay_api.objects.survey import Clue, PathFacts, Survey, UnitFacts

UNIT = UnitFacts(
    "shop.service", load_state="loaded", active_state="active", fragment="/etc/systemd/system/shop.service"
)


def a_survey(*paths: PathFacts, **fields: Any) -> Survey:
    """Of shop.service on n1."""
    fields.setdefault("units", (UNIT,))
    return Survey(unit=fields["units"][0].name, host="n1", agent="test", paths=paths, **fields)


def a_path(path: str, how: Any = "Read", where: str = "process shop", word: str = "", **fields: Any) -> PathFacts:
    """A file with one clue."""
    fields.setdefault("type", "File")
    return PathFacts(path, clues=(Clue(how, where, word),), **fields)


@dataclass
class FolderHost:
    """The host whose files lie below `root`."""

    root: Path
    lists: dict[str, list[str]] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return Place(self.root)

    def write(self, path: str, text: str | bytes = "", mode: int = 0o644) -> Path:
        at = self.root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(text if isinstance(text, bytes) else text.encode())
        at.chmod(mode)
        return at

    def link(self, path: str, target: str) -> None:
        at = self.root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.symlink_to(target)

    def fifo(self, path: str) -> None:
        at = self.root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(at)

    def process(
        self, pid: int, executable: str, *words: str, uid: int = 33, environment: str = "", files: tuple[str, ...] = ()
    ) -> None:
        """As /proc shows it."""
        self.write(executable)
        self.link(f"/proc/{pid}/exe", executable)
        fields = " ".join(str(number) for number in range(3, 52))
        self.write(f"/proc/{pid}/stat", f"{pid} (a) name) {fields}")
        self.write(
            f"/proc/{pid}/status",
            f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{uid}\t{uid}\t{uid}\t{uid}\nGroups:\t{uid} 103\n",
        )
        self.write(f"/proc/{pid}/cmdline", "\0".join((executable, *words, "")))
        self.write(f"/proc/{pid}/environ", environment)
        self.write(
            f"/proc/{pid}/maps",
            f"7f00-7f01 r-xp 00000000 08:01 12 {executable}\n7f02-7f03 r-xp 00000000 00:01 13 /memfd:jit (deleted)\n",
        )
        for number, target in enumerate(files):
            self.link(f"/proc/{pid}/fd/{number}", target)
            self.write(f"/proc/{pid}/fdinfo/{number}", "pos:\t0\nflags:\t0100001\nmnt_id:\t1\n")

    def package(self, name: str, *files: str, conffiles: dict[str, str] | None = None) -> None:
        """Installed by dpkg."""
        self.lists[name] = [*files, *(conffiles or {})]
        self.write(f"/var/lib/dpkg/info/{name}.list", "\n".join(["/.", *self.lists[name], ""]))
        shipped = "".join(f"\n {path} {md5}" for path, md5 in (conffiles or {}).items())
        stanza = f"Package: {name}\nStatus: install ok installed\nPriority: optional\nVersion: 1.2-3\n" + (
            f"Conffiles:{shipped}\n" if shipped else ""
        )
        status = self.root / "var/lib/dpkg/status"
        before = status.read_text() if status.exists() else ""
        self.write("/var/lib/dpkg/status", f"{before}{stanza}\n")
