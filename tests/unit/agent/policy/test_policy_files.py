"""The files of a host's policy: who may write them, what they may say, and that a change counts at once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_agent.join.joining import Places, must_have_policy
from backstay_agent.policy import first
from backstay_agent.policy.asking import NotTold, RealPolicy
from backstay_agent.policy.files import FOLDER, MOST_BYTES, REQUIRED, PolicyFiles, read_policy
from backstay_agent.policy.main import NOT_READ, OK, REFUSED, main
from backstay_api.objects.plain import RenderedResource
from backstay_dev.simulator.virtualtime import run
from backstay_testing.agent_world import address, unit

ME = (os.geteuid(),)
SHOP = '[[allow]]\nnamespaces = ["shop"]\nunits = ["web.service"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "policy.d"
    folder.mkdir(mode=0o755)
    return folder


def written(folder: Path, text: str, name: str = "10.toml") -> Path:
    file = folder / name
    file.write_text(text)
    file.chmod(0o644)
    return file


def why(folder: Path, resource: RenderedResource, namespace: str = "shop") -> str:
    return read_policy(folder, ME).refusal(namespace, [resource])


def test_without_a_folder_everything_is_allowed_and_that_is_said(tmp_path: Path) -> None:
    policy = read_policy(tmp_path / "policy.d", ME)
    assert policy.refusal("shop", [unit()]) == policy.unit_refusal("web.service") == ""
    assert policy.sentence == "no policy: services may bring whatever they like"


def test_with_an_empty_one_nothing_is(folder: Path) -> None:
    assert why(folder, unit()) == (
        f"server: the policy of this host refuses it: {folder} has no [[allow]] for namespace shop:"
        ' add one, with units = ["web.service"]'
    )
    assert read_policy(folder, ME).sentence == f"policy: no file in {folder}"


def test_a_row_allows_its_namespace_what_it_says(folder: Path) -> None:
    written(folder, SHOP)
    written(folder, "no policy", "10.toml.dpkg-old")
    assert why(folder, unit()) == ""
    assert "has no [[allow]] for namespace other" in why(folder, unit(), "other")
    assert f"{folder}/10.toml does not allow namespace shop the address 192.0.2.10" in why(folder, address())
    policy = read_policy(folder, ME)
    assert policy.sentence == f"policy: 10.toml in {folder}"
    assert policy.unit_refusal("web.service") == "" and "`units`" in policy.unit_refusal("ssh.service")


def test_all_files_count_together(folder: Path) -> None:
    written(folder, SHOP)
    written(folder, SHOP.replace("units", "networks").replace("web.service", "192.0.2.0/24"), "20.toml")
    assert read_policy(folder, ME).refusal("shop", [unit(), address()]) == ""


# --- what is not to be trusted ---------------------------------------------------------------------------------------


def _writable(file: Path) -> None:
    file.chmod(0o646)


def _by_the_group(file: Path) -> None:
    file.chmod(0o664)


def _a_link(file: Path) -> None:
    file.rename(file.parent.parent / "elsewhere.toml")
    file.symlink_to(file.parent.parent / "elsewhere.toml")


def _a_link_to_nothing(file: Path) -> None:
    file.unlink()
    file.symlink_to("/nowhere")


def _a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _a_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _the_folder_is_writable(file: Path) -> None:
    file.parent.chmod(0o777)


def _the_folder_is_a_link(file: Path) -> None:
    real = file.parent.rename(file.parent.parent / "real")
    file.parent.symlink_to(real)


def _the_folder_is_a_file(file: Path) -> None:
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text(SHOP)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(_writable, "10.toml may be written by others than root: chmod go-w", id="others write it"),
        pytest.param(_by_the_group, "10.toml may be written by others than root: chmod go-w", id="a group writes it"),
        pytest.param(_a_link, "10.toml is not a plain file: a link or a device is not followed", id="a link out"),
        pytest.param(_a_link_to_nothing, "10.toml is not a plain file", id="a link to nothing"),
        pytest.param(_a_folder, "10.toml is not a plain file", id="a folder"),
        pytest.param(_a_fifo, "10.toml is not a plain file", id="a FIFO, that nobody waits for"),
        pytest.param(_the_folder_is_writable, "policy.d may be written by others than root", id="the folder"),
        pytest.param(_the_folder_is_a_link, "policy.d is not a folder", id="the folder is a link"),
        pytest.param(_the_folder_is_a_file, "policy.d is not a folder", id="the folder is a file"),
    ],
)
def test_what_others_may_have_written_allows_nothing(folder: Path, spoil: Any, sentence: str) -> None:
    spoil(written(folder, SHOP))
    policy = read_policy(folder, ME)
    assert sentence in policy.refusal("shop", [unit()]) and sentence in policy.unit_refusal("web.service")
    assert policy.sentence.startswith("the policy of this host allows nothing new: ") and policy.faults


def test_a_file_of_another_user_allows_nothing(folder: Path) -> None:
    written(folder, SHOP)
    policy = read_policy(folder, owners=(os.geteuid() + 1,))
    assert f"{folder} does not belong to root: chown root {folder}" in policy.refusal("shop", [unit()])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("[[allow", "is not understood: Expected", id="no TOML"),
        pytest.param("[allow]\n", "with two brackets", id="one table"),
        pytest.param("allow = [1]\n", "with two brackets", id="no tables"),
        pytest.param("[[deny]]\n", "`deny` is no word of a policy", id="another word"),
        pytest.param('[[allow]]\nunits = ["*"]\n', "number 1 names no namespaces", id="for nobody"),
        pytest.param(SHOP + "unit = []\n", "number 1 says `unit`; it may say namespaces, kinds, units", id="a slip"),
        pytest.param(SHOP + 'kinds = "systemd"\n', "`kinds` of [[allow]] number 1 is no list of texts", id="no list"),
        pytest.param(SHOP + "users = [0]\n", "`users` of [[allow]] number 1 is no list of texts", id="a number"),
        pytest.param(SHOP + 'kinds = ["units"]\n', "'units' in `kinds` of [[allow]] number 1 is none of", id="no kind"),
        pytest.param(SHOP + SHOP + 'networks = ["192.0.2.*"]\n', "number 2 is no network", id="no network"),
        pytest.param("a = " + "[" * 5000, "is not understood", id="deep"),
        pytest.param(SHOP + "#" * MOST_BYTES, "is larger than 256 KiB", id="large"),
    ],
)
def test_what_is_not_understood_allows_nothing_and_neither_does_what_stands_beside_it(
    folder: Path, text: str, sentence: str
) -> None:
    written(folder, SHOP)
    written(folder, text, "20.toml")
    assert f"{folder}/20.toml" in why(folder, unit()) and sentence in why(folder, unit())


def test_what_is_no_text_is_not_understood(folder: Path) -> None:
    written(folder, SHOP).write_bytes(b"\xff")
    assert "is not understood" in why(folder, unit())


# --- changes ---------------------------------------------------------------------------------------------------------


def test_a_change_counts_at_the_next_question(folder: Path) -> None:
    files = PolicyFiles(folder, owners=ME)
    file = written(folder, SHOP)
    assert not files.now().refusal("shop", [unit()]) and files.now() is files.now()
    file.chmod(0o666)
    assert "chmod go-w" in files.now().refusal("shop", [unit()])
    file.chmod(0o644)
    assert not files.now().refusal("shop", [unit()])
    file.write_text(SHOP.replace("web", "dbs"))
    assert "dbs" not in files.now().refusal("shop", [unit()]) and files.now().refusal("shop", [unit()])
    file.unlink()
    assert "has no [[allow]]" in files.now().refusal("shop", [unit()])
    folder.rmdir()
    assert not files.now().refusal("shop", [unit()])


def test_a_folder_that_somebody_removes_allows_nothing_where_a_policy_is_required(folder: Path, tmp_path: Path) -> None:
    required = tmp_path / "state" / REQUIRED.name
    places = Places(tmp_path / "agent.json", state_dir=tmp_path / "state", policy=folder)
    assert must_have_policy(places).endswith("stays as it is"), "required, whoever made the folder"
    file, files = written(folder, SHOP), PolicyFiles(folder, required=required, owners=ME)
    assert not files.now().refusal("shop", [unit()])
    file.unlink()
    folder.rmdir()
    why = f"there is no {folder}, and this host was joined with --policy, so it allows nothing without one"
    assert why in files.now().refusal("shop", [unit()]) and why in files.now().unit_refusal("web.service")
    assert why in files.now().sentence and f"by removing {required}" in files.now().sentence
    required.unlink()
    files = PolicyFiles(folder, required=required, owners=ME)  # an agent reads it when it starts
    assert files.now().refusal("shop", [unit()]) == "" and files.now().sentence.startswith("no policy")
    must_have_policy(places)
    assert "has no [[allow]]" in files.now().refusal("shop", [unit()])


# --- what systemd calls it -------------------------------------------------------------------------------------------


def asked(folder: Path, own_name: str, **more: bool) -> str:
    async def own(resource: RenderedResource) -> str:
        return own_name

    policy = RealPolicy(PolicyFiles(folder, owners=ME), own)
    return run(policy.refused("shop", [unit()], **more))


def test_an_allowed_name_that_is_another_name_of_something_else_is_refused(folder: Path) -> None:
    written(folder, SHOP)
    assert asked(folder, "web.service") == asked(folder, "") == "", "systemd calls it so, or it is no unit"
    assert asked(folder, "ssh.service").startswith(
        "server: systemd calls it ssh.service, and the policy of this host refuses that: "
    )


def test_what_runs_is_not_refused_for_a_file_that_is_broken_but_for_one_that_says_so(folder: Path) -> None:
    written(folder, "[[")
    assert asked(folder, "") and not asked(folder, "", is_known=True)
    written(folder, "")
    assert asked(folder, "", is_known=True)


# --- backstay-agent policy -------------------------------------------------------------------------------------------


def test_the_first_file_allows_nothing_and_what_it_proposes_is_understood(tmp_path: Path) -> None:
    folder = tmp_path / "backstay/policy.d"
    said = first.first_policy(folder)
    assert str(folder / first.NAME) in said and why(folder, unit()).endswith('with units = ["web.service"]')
    assert first.first_policy(folder) == f"{folder} is there already, and stays as it is"
    lines = [line.removeprefix("# ") for line in first.TEXT.partition("\n# [[allow]]")[2].splitlines()[1:]]
    written(folder, "\n".join(["[[allow]]", *lines]), first.NAME)
    assert read_policy(folder, ME).faults == ()
    assert Places(Path("/etc/backstay/agent.json")).policy == FOLDER


def a_manifest(path: Path, *resources: Any, **meta: str) -> str:
    body = {"kind": "HAService", "metadata": {"name": "web", **meta}, "spec": {"resources": list(resources)}}
    path.write_text(json.dumps({"kind": "List", "items": [body]}))
    return str(path)


WEB = {"name": "server", "systemd": {"unit": "web.service"}, "strategy": "Move", "role": "Any"}
PROBED = {**WEB, "probes": [{"name": "alive", "exec": {"command": ["/bin/true"]}}]}


@pytest.mark.skipif(os.geteuid() != 0, reason="files of root's")
def test_what_says_how_fresh_data_is_runs_as_root_too(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = {"resources": [WEB], "promotion": {"scoreCommand": ["/bin/position"]}}
    given = a_manifest(tmp_path / "web.json", WEB)
    Path(given).write_text(json.dumps({"kind": "HAService", "metadata": {"name": "web"}, "spec": spec}))
    written(folder, SHOP)
    assert main(["test", given, "-n", "shop", "-o", "yaml"], folder) == REFUSED
    told = yaml.safe_load(capsys.readouterr().out)
    assert [(one["service"], one["item"], one["allowed"]) for one in told["answers"]] == [
        ("shop/web", "server", True),
        ("shop/web", "promotion.scoreCommand", False),
    ]
    assert (
        told["answers"][1]["why"] == read_policy(folder).score_refusal("shop", ["/bin/position"]).partition("it: ")[2]
    )
    written(folder, SHOP + 'commands = ["/bin/position"]\nusers = ["root"]\n')
    assert main(["test", given, "-n", "shop", "-o", "yaml"], folder) == OK
    assert yaml.safe_load(capsys.readouterr().out)["policy"] == f"policy: 10.toml in {folder}"


@pytest.mark.skipif(os.geteuid() != 0, reason="files of root's")
def test_a_manifest_is_tested_resource_by_resource_and_probe_by_probe(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(folder, SHOP)
    given = a_manifest(tmp_path / "web.json", PROBED, namespace="shop")
    assert main(["test", given], folder) == REFUSED
    allowed, refused = capsys.readouterr().out.splitlines()
    assert allowed == f"shop/web: server: allowed ({folder}/10.toml)"
    assert refused == (
        f"shop/web: server, probe alive: refused: {folder}/10.toml does not allow namespace shop the command /bin/true,"
        ' the user root: add "/bin/true" to `commands`, "root" to `users` of one [[allow]] there'
    )
    assert main(["test", a_manifest(tmp_path / "web.json", WEB), "--namespace", "shop"], folder) == OK
    assert main(["test", a_manifest(tmp_path / "web.json", WEB)], folder) == REFUSED
    assert "has no [[allow]] for namespace default" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() != 0, reason="files of root's")
def test_what_is_only_looked_at_is_tested_too(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, SHOP + 'paths = ["/etc/shop/**"]\n')
    looked_at = [
        {"name": name, "file": {"path": path}} for name, path in (("a", "/etc/shop/a.conf"), ("b", "/etc/shadow"))
    ]
    assert main(["test", a_manifest(tmp_path / "web.json", WEB, *looked_at, namespace="shop")], folder) == REFUSED
    told = [line.split(": ")[1:3] for line in capsys.readouterr().out.splitlines()]
    assert [(name, verdict.split()[0]) for name, verdict in told] == [
        ("server", "allowed"),
        ("a", "allowed"),
        ("b", "refused"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("kind: HAService", "is not JSON: give it as JSON: kubectl create", id="YAML"),
        pytest.param("{}", "it is no HAService", id="nothing"),
        pytest.param('{"kind": "List", "items": [7]}', "it is no HAService", id="a list of numbers"),
        pytest.param('{"kind": "HAService", "spec": {"resources": [7]}}', "it is no object", id="a number"),
        pytest.param(
            '{"kind": "HAService", "spec": {"resources": [{"name": "a", "copy": {"path": "/x"}}]}}',
            "resource a is of no kind that agent",
            id="a later kind",
        ),
        pytest.param(
            '{"kind": "HAService", "spec": {"resources": [{"name": "a", "systemd": {"unit": "a.service", "x": 1}}]}}',
            "does not know `systemd.x`",
            id="a later field",
        ),
    ],
)
def test_what_cannot_be_judged_is_not_called_allowed(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "web.json").write_text(text)
    assert main(["test", str(tmp_path / "web.json")], tmp_path / "none") == NOT_READ
    assert said in capsys.readouterr().err


def test_without_a_policy_test_says_that_everything_is_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", a_manifest(tmp_path / "web.json", PROBED)], tmp_path / "none") == OK
    assert capsys.readouterr().out.splitlines()[0] == "no policy: services may bring whatever they like"
    assert main(["test", str(tmp_path / "missing.json")], tmp_path / "none") == NOT_READ


@pytest.mark.skipif(os.geteuid() != 0, reason="files of root's")
def test_what_is_in_force_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, SHOP + 'kinds = ["systemd"]\n')
    assert main(["show"], folder) == OK
    shown = capsys.readouterr().out
    assert shown == (
        f"policy: 10.toml in {folder}\n\n{folder}/10.toml: namespaces shop\n  kinds: systemd\n  units: web.service\n"
    )
    written(folder, "[[")
    assert main(["show"], folder) == REFUSED
    assert "allows nothing new" in capsys.readouterr().out


def test_what_systemd_does_not_name_is_not_allowed_unless_it_runs_here(folder: Path) -> None:
    async def silent(resource: RenderedResource) -> str:
        raise NotTold("no answer")

    written(folder, SHOP)
    policy = RealPolicy(PolicyFiles(folder, owners=ME), silent)
    with pytest.raises(NotTold):
        run(policy.refused("shop", [unit()]))
    assert run(policy.refused("shop", [unit()], is_known=True)) == ""
    written(folder, SHOP.replace("web", "other"))
    assert run(policy.refused("shop", [unit()], is_known=True)), "what a file says against it stays said"
