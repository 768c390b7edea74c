"""kopf in the Pod: it starts under a uid that nobody knows, and readiness says so where it does not run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backstay_operator.control.serve.health import Ages, State, not_ready

REPOSITORY = Path(__file__).parents[4]
NOBODY_KNOWS = 65532

# The real watcher, in a process of that uid, before a server that only notes that somebody came.
CHILD = """
import asyncio, os
from backstay_api.client.transport import ApiConfig
from backstay_operator.control.watch.kopf_watch import KopfThread

async def main():
    outcome = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def note(word):
        if not outcome.done():
            outcome.set_result(word)

    async def come(reader, writer):
        note("kopf asks the server")
        writer.close()

    server = await asyncio.start_server(come, "127.0.0.1", 0)
    config = ApiConfig(servers=(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",))

    end = lambda error: loop.call_soon_threadsafe(note, f"kopf ended: {error!r}")
    life = KopfThread(config, on_event=lambda *_: None, ready=lambda: None, end=end)
    life.start()
    print(await asyncio.wait_for(outcome, 60), flush=True)
    os._exit(0)

asyncio.run(main())
"""


# A user namespace of its own: there the uid is this one, and our files are still ours.
AS_NOBODY = ("unshare", "--user", f"--map-user={NOBODY_KNOWS}", f"--map-group={NOBODY_KNOWS}", "--")


def may_be_nobody() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*AS_NOBODY, "true"], check=False).returncode == 0


@pytest.mark.skipif(not may_be_nobody(), reason="needs user namespaces")
def test_kopf_starts_under_a_uid_without_a_name() -> None:
    names = ("USER", "LOGNAME", "LNAME", "USERNAME")
    env = {name: value for name, value in os.environ.items() if name not in names}
    env["PYTHONPATH"] = os.pathsep.join(str(REPOSITORY / name) for name in ("crds", "operator"))
    command = [*AS_NOBODY, sys.executable, "-c", CHILD]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)
    assert done.stdout.strip() == "kopf asks the server", done.stdout + done.stderr


def test_the_image_has_a_name_for_its_uid() -> None:
    text = (REPOSITORY / "operator/Dockerfile").read_text()
    assert f"useradd --uid {NOBODY_KNOWS} " in text and "USER=backstay" in text


def test_readiness_says_that_kopf_does_not_run() -> None:
    ages = Ages(plan_s=1.0, answer_s=0.3, heartbeats_s=0.2, watches_s={}, resync_s={})
    state = State(ages, leads=True, waiting_for="", path_trouble="", kopf_trouble="kopf does not run: it ended")
    assert not_ready(state) == "kopf does not run: it ended"


# In a process of its own too: kopf's threads and its import are nothing for those who test beside it.
DYING = """
import asyncio, os, random
from backstay_api.client.http import HttpApi
from backstay_api.client.transport import ApiConfig
from backstay_operator.control.watch.kopf_watch import KopfWatch
from backstay_operator.control.counters import Counters
from backstay_operator.control.watch.informers import Informers
from backstay_api.objects.object_kinds import ALL_KINDS
from backstay_operator.control.watch.cache import Cache

async def main():
    # Without that file kopf ends whenever it is started.
    config = ApiConfig(servers=("https://127.0.0.1:1",), ca_file="/no/such/file")
    rng, counters = random.Random(0), Counters()
    cache = Cache(clock=asyncio.get_running_loop().time, wall=lambda: "2026-03-01T12:00:00Z")
    for kind in ALL_KINDS:
        cache.note_listed(kind)
    watch = KopfWatch(config, cache, Informers(HttpApi(config, rng=rng), cache, [], rng=rng), counters, rng=rng, warm_up_s=0)
    running = asyncio.create_task(watch.run())
    for ends in (1, 2):
        while counters.kopf_restarts < ends:
            await asyncio.sleep(0.01)
        print(counters.kopf_trouble or "nothing", flush=True)
    os._exit(0)

asyncio.run(main())
"""


def test_a_kopf_that_ends_again_and_again_is_told() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(str(REPOSITORY / name) for name in ("crds", "operator"))}
    command = [sys.executable, "-c", DYING]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)
    once, twice = done.stdout.splitlines()
    assert once == "nothing", "once may be the API server's doing"
    assert twice.startswith("kopf does not run: it ended 2 times in a row, last by FileNotFoundError")
