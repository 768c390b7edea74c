"""The guide's first step on real machines: Debian's nginx, with a site as people have it, is surveyed on the host where it runs.

The draft is applied as it was written: the service runs, and fails over to the host that was given what the draft lists.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_api.objects.survey import parse_survey
from backstay_cli.discover import recipes, shipped_baseline
from backstay_cli.drafting.rules import needs_of
from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.lab import AGENT_CODE, Lab
from backstay_dev.lab.prerequisites import OCF_LAYER
from backstay_dev.lab.shell import PYTHONPATH
from backstay_dev.show.fault_lab import FaultLab, Play
from backstay_testing.cases import applied, until_ready, until_standby

pytestmark = [pytest.mark.api, pytest.mark.hosts]

INSTALL = Path(__file__).resolve().parents[1] / "golden" / "nginx" / "install.sh"
ASKED = """\
[Service]
EnvironmentFile=/etc/default/asked
User=daemon
ExecStart=/usr/bin/python3 -m http.server 8123
"""
SURVEY = ("env", f"PYTHONPATH={AGENT_CODE}", "python3", "-m", "backstay_agent.main", "survey")


@pytest.fixture(scope="module")
def stage() -> Iterator[FaultLab]:
    # This layer has openssl too, with which the site's certificate is made.
    with Lab(2, progress=print, packages=OCF_LAYER) as lab:
        yield FaultLab.open(lab)


def survey_of(host: LabHost, unit: str) -> str:
    return host.run(*SURVEY, unit, timeout_s=60)


def test_a_draft_is_applied_as_it_is_and_the_service_runs_and_fails_over(stage: FaultLab, tmp_path: Path) -> None:
    n1, n2 = stage.lab["n1"], stage.lab["n2"]
    for host in (n1, n2):
        host.write_file("/root/install.sh", INSTALL.read_text())
        host.run("systemctl", "stop", "apache2.service")  # the layer has it too, and who boots first has the port
        host.run("sh", "/root/install.sh", timeout_s=60)
    # A draft asks for one certificate on all hosts, as a client sees one service.
    for name in ("fullchain.pem", "privkey.pem"):
        n2.write_file(f"/etc/ssl/shop/{name}", n1.read_file(f"/etc/ssl/shop/{name}"), 0o640)
    n2.run("systemctl", "stop", "nginx.service", "warm-shop.timer")
    text = survey_of(n1, "nginx.service")
    assert "s3cret" not in text
    survey = parse_survey(text)
    assert survey.skipped == () and survey.duration_s < 30
    kinds = {need.kind for need in needs_of(survey, recipes(), shipped_baseline())}
    assert {"package", "path", "file", "setting", "certificate", "systemd"} <= kinds

    manifest = tmp_path / "nginx.yaml"
    manifest.write_text(discover(tmp_path, text))
    spec: dict[str, Any] = yaml.safe_load(manifest.read_text())["spec"]
    n1.run("systemctl", "stop", "nginx.service", "warm-shop.timer")
    with applied(stage, "nginx", spec):
        play = Play("nginx", stage, "")
        first = until_ready(play)
        second = "n2" if first == "n1" else "n1"
        until_standby(play, second)
        assert answers(stage.lab[first]) and not answers(stage.lab[second])
        again = survey_of(stage.lab[first], "nginx.service")
        assert "undeclared" not in discover(tmp_path, again, "--diff", str(manifest)), "what runs is what was drafted"
        stage.lab[first].power_off()
        until_ready(play, on=second)
        assert answers(stage.lab[second])
    stage.lab.tidy()


def test_a_host_is_asked_through_the_api_server_and_says_the_same(stage: FaultLab, tmp_path: Path) -> None:
    """By its agent, whose own rights on the host are a part of what that has, so that a look sees all there is."""
    host = stage.lab["n1"]
    host.write_file("/etc/default/asked", "GREETING=hello\n")
    host.write_file("/etc/systemd/system/asked.service", ASKED)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", "asked.service")
    here = needs_of(parse_survey(survey_of(host, "asked.service")), recipes(), shipped_baseline())
    code, answer, said = asked(stage, "n1", "asked")
    assert code in (0, 5) and "n1 looks at asked.service" in said
    told = {(one["kind"], json.dumps(one["spec"], sort_keys=True)) for one in json.loads(answer)["needs"]}
    assert told == {(one.kind, json.dumps(dict(one.spec), sort_keys=True)) for one in here if not one.is_left_out}
    assert ("file", '{"path": "/etc/default/asked"}') in told and "hello" not in answer
    assert stage.lab.plane.kubectl("get", "hostsurveys", "-o", "name") == ""
    code, _, said = asked(stage, "n1", "no-such-thing.service")
    assert (code, "n1 could not look at no-such-thing.service" in said) == (1, True), said
    host.run("systemctl", "stop", "asked.service")


def asked(stage: FaultLab, *words: str) -> tuple[int, str, str]:
    kubeconfig = ("--kubeconfig", str(stage.lab.plane.admin_kubeconfig))
    command = [sys.executable, "-m", "backstay_cli.main", *kubeconfig, "discover", *words, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": PYTHONPATH}, check=False)
    return done.returncode, done.stdout, done.stderr


def discover(folder: Path, survey: str, *words: str) -> str:
    """What `backstay discover` prints; it needs no cluster. Exit code 5: there is something to DECIDE, or undeclared."""
    (folder / "survey.json").write_text(survey)
    command = [sys.executable, "-m", "backstay_cli.main", "discover", "--from", str(folder / "survey.json"), *words]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": PYTHONPATH}, check=False)
    assert done.returncode in (0, 5), done.stderr
    return done.stdout


def answers(host: LabHost) -> bool:
    """Whether a client gets the shop's page there."""
    asked = "import ssl, urllib.request as r; print(r.urlopen('https://127.0.0.1/', context=ssl._create_unverified_context()).read())"
    return "shop" in host.run("python3", "-c", asked, check=False)


@pytest.mark.parametrize(
    ("unit", "why"),
    [
        pytest.param("nope.service", "there is no unit nope.service on this host", id="none"),
        pytest.param("nginx@.service", "", id="a template"),
        pytest.param("a b", "is not valid", id="no name"),
        pytest.param("masked.service", "is masked", id="masked"),
    ],
)
def test_what_cannot_be_surveyed_is_refused_with_a_sentence(stage: FaultLab, unit: str, why: str) -> None:
    host = stage.lab["n1"]
    host.run("systemctl", "mask", "masked.service")
    said = host.run("sh", "-c", f'{" ".join(SURVEY)} -- "$1" 2>&1; echo "exit $?"', "sh", unit, timeout_s=60)
    assert why in said and said.endswith("exit 2\n") and "Traceback" not in said


def test_a_hostile_service_is_surveyed_all_the_same(stage: FaultLab) -> None:
    """Names that confuse, a FIFO, loops, lines without end, a binary, 100,000 files, and a process that puts secrets everywhere."""
    host = stage.lab["n1"]
    host.write_file("/root/hostile.sh", HOSTILE)
    host.run("sh", "/root/hostile.sh", timeout_s=120)
    survey = json.loads(survey_of(host, "hostile.service"))
    assert "s3cret" not in json.dumps(survey)
    assert survey["duration_s"] < 30 and len(json.dumps(survey)) < 1024 * 1024
    assert "/srv/hostile/good" in {one["path"] for one in survey["paths"]}
    assert any(one["path"] == "/srv/hostile/many" and one["tree"]["files"] >= 99_000 for one in survey["paths"])


HOSTILE = r"""
set -e
mkdir -p /etc/hostile/conf.d /srv/hostile/many
cd /etc/hostile/conf.d
mkfifo 00-fifo.conf
ln -sf 01-loop.conf 01-loop.conf
ln -sf /proc/self/fd/0 02-proc.conf
head -c 65536 /dev/zero | tr '\0' x >03-long.conf
printf '\nroot /srv/hostile/good\n' >>03-long.conf
head -c 100000 /dev/urandom >04-binary.conf
echo 'root /srv/hostile/good' >"$(printf '05\nspec: {}\033[2J.conf')"
printf 'password s3cret-1 /srv/hostile/good\nurl = http://u:s3cret-2@192.0.2.9:80/\n' >06-secret.conf
printf -- '-----BEGIN PRIVATE KEY-----\ns3cret-3\n' >key.pem
echo x >/srv/hostile/good
python3 -c "
for number in range(99_500):
    open(f'/srv/hostile/many/{number}', 'w').close()
"
printf 'TOKEN=s3cret-4\n' >/etc/default/hostile
printf 'include /etc/hostile/conf.d/*\ndata /srv/hostile/many\n' >/etc/hostile/hostile.conf
cat >/usr/local/sbin/hostile <<'PROGRAM'
#!/usr/bin/python3
import os, time
while True:
    # Processes that are gone before anybody can look at them.
    for _ in range(20):
        if os.fork() == 0:
            os._exit(0)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    time.sleep(0.01)
PROGRAM
chmod 755 /usr/local/sbin/hostile
cat >/etc/systemd/system/hostile.service <<'UNIT'
[Service]
EnvironmentFile=/etc/default/hostile
Environment=INLINE=s3cret-5
ExecStart=/usr/local/sbin/hostile --config /etc/hostile/hostile.conf --password=s3cret-6 s3cret-7
UNIT
systemctl daemon-reload
systemctl restart hostile.service
"""
