"""What systemd says of a unit, asked by its own `busctl`: typed values as they are loaded, and nothing but a program to be ended."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from typing import Any, Final

from .contained import SourceFailed

LIMIT_S: Final = 3.0
_BUSCTL: Final = "/usr/bin/busctl"
_ROOT: Final = "/org/freedesktop/systemd1"
_NAME: Final = "org.freedesktop.systemd1"

Properties = Mapping[str, Any]


class SystemdRefuses(SourceFailed):
    """systemd did not answer, or refuses; the message is a sentence of its own."""


Run = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words, capture_output=True, text=True, timeout=LIMIT_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SystemdRefuses(f"busctl cannot be run: {type(error).__name__}") from error


class Systemd:
    """Asks this host's systemd. `run` is another function in tests alone."""

    def __init__(self, run: Run = _run) -> None:
        self._run = run

    def properties(self, unit: str) -> Properties:
        """Of a unit, those of its own type too. Loads it, which changes nothing. Raises SystemdRefuses."""
        (path,) = self._call(_ROOT, f"{_NAME}.Manager", "LoadUnit", "s", unit)
        found = self._all_of(path, "Unit")
        # The interface of its own type is called as the type is.
        own = str(found.get("Id", unit)).rpartition(".")[2].capitalize()
        return {**found, **self._all_of(path, own)}

    def processes(self, unit: str) -> tuple[int, ...]:
        """Of its control group and those below. Raises SystemdRefuses."""
        (found,) = self._call(_ROOT, f"{_NAME}.Manager", "GetUnitProcesses", "s", unit)
        return tuple(int(pid) for _, pid, _ in found)

    def timers(self) -> tuple[str, ...]:
        """All that are loaded. Raises SystemdRefuses."""
        (found,) = self._call(_ROOT, f"{_NAME}.Manager", "ListUnitsByPatterns", "asas", "0", "1", "*.timer")
        return tuple(str(one[0]) for one in found)

    def _all_of(self, path: str, interface: str) -> dict[str, Any]:
        (found,) = self._call(path, "org.freedesktop.DBus.Properties", "GetAll", "s", f"{_NAME}.{interface}")
        return {name: variant["data"] for name, variant in found.items()}

    def _call(self, path: str, interface: str, method: str, *words: str) -> list[Any]:
        # `--` comes first: a unit may be called as an option is.
        command = [
            _BUSCTL,
            "--json=short",
            f"--timeout={LIMIT_S:g}",
            "--",
            "call",
            _NAME,
            path,
            interface,
            method,
            *words,
        ]
        done = self._run(command)
        if done.returncode != 0:
            raise SystemdRefuses(
                (done.stderr.strip().splitlines() or ["systemd did not answer"])[-1].removeprefix("Call failed: ")
            )
        try:
            return list(json.loads(done.stdout)["data"])
        except (ValueError, KeyError, TypeError) as error:
            raise SystemdRefuses("busctl has answered what is no JSON") from error
