"""A client on a host that commits row after row, and keeps account of every row whose commit was answered."""

from __future__ import annotations

from typing import Final, NamedTuple

from backstay_dev.lab.hosts import LabHost

_ACCOUNT: Final = "/srv/committed"
_PROGRAM: Final = "/srv/client.sh"
# A row is in the account only if the server has said that it is committed; what hung is asked for no more after two seconds.
_SCRIPT: Final = """\
commit() {{ {commit}; }}
export -f commit
n=0
while :; do
  n=$((n + 1))
  if timeout 2 bash -c "commit $n" 2>/dev/null
  then echo "$n $EPOCHREALTIME" >>{account}
  else sleep 0.05
  fi
done
"""
_UNIT: Final = f"[Service]\nExecStart=/bin/bash {_PROGRAM}\n"


class Commit(NamedTuple):
    """A row whose commit was answered."""

    row: int
    at_s: float
    """Seconds since 1970."""


class Client:
    """Runs on one host, from its beginning to `stop`."""

    def __init__(self, host: LabHost, commit: str) -> None:
        """`commit`: commands of bash, which succeed if row `$1` is committed."""
        self._host = host
        host.run("rm", "-f", _ACCOUNT)
        host.write_file(_PROGRAM, _SCRIPT.format(commit=commit, account=_ACCOUNT))
        host.install_unit("client.service", _UNIT)
        host.run("systemctl", "restart", "client.service")

    def stop(self) -> None:
        self._host.run("systemctl", "stop", "client.service")

    def committed(self) -> list[Commit]:
        """Every row whose commit was answered so far."""
        if not self._host.path(_ACCOUNT).exists():
            return []
        lines = [line.split() for line in self._host.read_file(_ACCOUNT).splitlines()]
        return [Commit(int(row), float(at_s)) for row, at_s in lines]


class Written:
    """What a client writes to, and the account of it."""

    _client: Client | None = None

    def stop_writing(self) -> None:
        if self._client is not None:
            self._client.stop()

    def committed(self) -> list[Commit]:
        """Every row whose commit was answered so far."""
        return self._client.committed() if self._client else []

    def rows(self, host: str) -> set[int]:
        """What is there, as this host has it."""
        raise NotImplementedError
