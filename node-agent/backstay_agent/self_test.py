"""`backstay-agent --self-test`: whether this release works on this host at all. A package asks before it puts a release in use."""

from __future__ import annotations

import random
from pathlib import Path

from backstay_api.client.http import HttpApi

from .config import machine_uuid, read_config
from .drivers import real_drivers


def self_test(config: Path) -> str:
    """Why it does not work, in a sentence, or empty. Nothing is changed, and no server is asked: its outage is no fault of a release.

    Raises ImportError and the like where files are missing: that is an answer too.
    """
    if len(real_drivers()) == 0:
        return "this release has no drivers"
    if config.exists():  # else it is installed before it is configured
        known = read_config(config)
        machine_uuid(known.machine_uuid_file)
        HttpApi(known.api, rng=random.Random())
    return ""
