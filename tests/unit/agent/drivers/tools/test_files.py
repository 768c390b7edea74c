"""What keeps a file from being checked says nothing of the file."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from backstay_agent.core.editions import Edition
from backstay_agent.drivers.base import NotInstalled
from backstay_agent.drivers.tools.files import RealInstaller
from backstay_agent.drivers.tools.manager import Manager


def test_a_program_that_is_not_there_has_called_nothing_wrong() -> None:
    installer = RealInstaller(cast(Manager, None))
    with pytest.raises(NotInstalled, match="/usr/bin/no-such-check is not installed"):
        asyncio.run(installer.check(["/usr/bin/no-such-check"], {"/etc/a.conf": Edition("a")}))
