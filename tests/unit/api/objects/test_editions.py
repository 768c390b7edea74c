"""What a file that is brought to hosts must not be."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.editions import edition_id, edition_on, name_of_secret, secret_edition
from backstay_api.objects.models.prerequisites import File, RenderedFile
from backstay_api.objects.prerequisites import fault_of_brought


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({}, ""),
        ({"mode": "0755", "validate": ["/bin/true"]}, ""),
        ({"sha256": "0" * 64}, "sha256: is that of content anyway: leave it out"),
        ({"content": "a\0b"}, "content: has a NUL in it, and no text has one"),
        ({"validate": ["true"]}, "validate: begins with no absolute path"),
        ({"content": None, "validate": ["/bin/true"]}, "validate: goes with content, which is not given"),
        ({"content": None, "reload": ["server"]}, "reload: goes with content, which is not given"),
        ({"template": True, "content": "id = {{ host.name }} {{host.name}} { x } {{"}, ""),
        ({"content": "{{ host.nmae }}"}, ""),
        (
            {"template": True, "content": "{{ host.name }} {{ host.nmae }}"},
            "content: has {{ host.nmae }} in it, and of a host there is {{ host.name }} alone",
        ),
        (
            {"template": True, "content": f"{{{{ {'x' * 9000} }}}}"},
            f"content: has {{{{ {'x' * 39}… }}}} in it, and of a host there is {{{{ host.name }}}} alone",
        ),
        ({"content": None, "template": True}, "template: goes with content, which is not given"),
        (
            {"content": "a", "configMapKeyRef": {"name": "a", "key": "b"}},
            "configMapKeyRef: content is given too: leave one of them out",
        ),
        ({"content": None, "configMapKeyRef": {"name": "a", "key": "b"}, "validate": ["/bin/true"]}, ""),
        ({"content": None, "secretKeyRef": {"name": "a", "key": "b"}, "validate": ["/bin/true"]}, ""),
        (
            {"content": "a", "secretKeyRef": {"name": "a", "key": "b"}},
            "secretKeyRef: content is given too: leave one of them out",
        ),
        (
            {"content": None, "configMapKeyRef": {"name": "a", "key": "b"}, "secretKeyRef": {"name": "a", "key": "b"}},
            "secretKeyRef: configMapKeyRef is given too: leave one of them out",
        ),
        (
            {"content": None, "template": True, "secretKeyRef": {"name": "a", "key": "b"}},
            "template: is not supported yet with secretKeyRef: leave it out",
        ),
        ({"mode": "4755"}, "mode: 4755 lets whoever runs it be somebody else, and no file that is brought may do that"),
        ({"mode": "2755"}, "mode: 2755 lets whoever runs it be somebody else, and no file that is brought may do that"),
        # One that is not checked itself is seen at its place where another is.
        (
            {"path": "/etc/my shop/a"},
            "path: has a character that no file which is brought may have: one of : % \\ ' \" or a blank",
        ),
        (
            {"path": "/root/.ssh/authorized_keys"},
            "path: /root/.ssh/authorized_keys is not looked at for any service: it is the host's own",
        ),
        (
            {"path": "/etc/systemd/system/backstay-agent.service"},
            "path: /etc/systemd/system/backstay-agent.service is not written for any service: it is Backstay's own",
        ),
        (
            {"path": "/usr/lib/backstay-agent/x"},
            "path: /usr/lib/backstay-agent/x is not written for any service: it is Backstay's own",
        ),
        ({"path": "/usr/lib/backstay-agent/x", "content": None}, ""),
    ],
)
def test_what_no_host_brings(said: dict[str, Any], fault: str) -> None:
    assert fault_of_brought(File.model_validate({"path": "/etc/shop/a.conf", "content": "a\n", **said})) == fault


def test_values_of_a_host_are_put_in_on_each_and_hosts_are_compared_by_what_the_manifest_says() -> None:
    file = File.model_validate({"path": "/etc/a", "content": "id={{ host.name }}\n", "template": True})
    n1, n2 = edition_on(file, "n1"), edition_on(file, "n2")
    assert (n1.content, n2.content) == ("id=n1\n", "id=n2\n")
    plain = file.model_copy(update={"template": None})
    assert n1.id == n2.id == edition_id(file) != edition_id(plain)
    assert edition_on(plain, "n1").content == "id={{ host.name }}\n"


def secret_file(**parts: Any) -> RenderedFile:
    return RenderedFile(path="/etc/web.pass", secret="0" * 31 + "1", **parts)


def test_a_secret_is_put_there_for_root_alone_unless_the_manifest_says_otherwise() -> None:
    assert secret_edition(secret_file(), "hunter2").mode == "0600"
    assert secret_edition(secret_file(mode="0640"), "hunter2").mode == "0640"
    assert edition_id(secret_file()) == edition_id(secret_file(mode="0600")) != edition_id(secret_file(mode="0640"))


def test_what_is_in_a_secret_is_named_with_a_key_and_its_edition_by_that_name() -> None:
    key = b"k" * 32
    one, other = name_of_secret(key, "shop", "hunter2"), name_of_secret(b"l" * 32, "shop", "hunter2")
    assert one == name_of_secret(key, "shop", "hunter2") != name_of_secret(key, "shop", "hunter3")
    assert one != name_of_secret(key, "mine", "hunter2"), "nor hold a guess in a namespace of his own against it"
    assert one != other, "who does not have the key cannot try passwords"
    assert (
        secret_edition(secret_file(), "hunter2").id
        == secret_edition(secret_file(), "hunter3").id
        == edition_id(secret_file())
    )
