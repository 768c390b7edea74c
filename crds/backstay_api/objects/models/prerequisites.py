"""Kinds of resources that are only looked at: each host that may run the service must have them, and have them alike."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from backstay_api.objects.bounds import MOST_CONTENT_CHARS

from .base import Argv, Duration, Label, Model, Text, Timestamp

# One name in a path: neither empty, nor `.`, nor `..`. Patterns cost the API server nothing; a rule is paid for each standby of a host.
STEP = r"([^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{1,2}[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3}[^/\x00-\x1f\x7f]*)"
PlainPath = Annotated[str, StringConstraints(max_length=1024, pattern=rf"^(/{STEP})+$")]
UnitName = Annotated[
    str,
    # No dash in front: what begins with one looks like an option. Of the last two it is said why none may be named (`unit_settings.py`).
    StringConstraints(
        max_length=255,
        pattern=r"^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.(service|socket|target|timer|path|mount|automount|slice)$",
    ),
]
_Account = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}\$?$")]
_Glob = Annotated[str, StringConstraints(max_length=256, pattern=rf"^{STEP}(/{STEP})*$")]
_Content = Annotated[str, StringConstraints(max_length=MOST_CONTENT_CHARS)]
EditionId = Annotated[str, StringConstraints(max_length=32, pattern="^([0-9a-f]{32})?$")]
_ObjectName = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
]
_DataKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._-]+$")]
_Package = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9+._:-]*$")]
_Version = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9+.:~^_-]*$")]
_DnsName = Annotated[
    str, StringConstraints(max_length=253, pattern=r"^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$")
]
_Sysctl = Annotated[
    str, StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)+$")
]  # never two dots or slashes side by side: the one stands for the other
_Tcp = Annotated[
    str,
    StringConstraints(
        max_length=300, pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$"
    ),
]


class KeyRef(Model):
    """One key of a ConfigMap or Secret in the namespace of the service."""

    name: _ObjectName
    """Name of the object."""
    key: _DataKey
    """The key in it."""


class VerifiedFile(Model):
    """A file, as a host looks at it."""

    path: PlainPath
    """Where it is. A symbolic link is followed."""
    sha256: Annotated[str, StringConstraints(max_length=64, pattern="^[0-9a-f]{64}$")] | None = None
    """Its content, as `sha256sum` says it. Default: the same as where the service runs, or ran last."""
    owner: _Account | None = None
    """Its owner. Default: as there."""
    group: _Account | None = None
    """Its group. Default: as there."""
    mode: Annotated[str, StringConstraints(max_length=4, pattern="^[0-7]{4}$")] | None = None
    """Its permissions, `"0644"`. Default: as there."""


class File(VerifiedFile):
    """A file that must be on every candidate, and alike. Without `content`, `configMapKeyRef` or `secretKeyRef` it is looked at, and who
    brings it there is your own tool."""

    content: _Content | None = None
    """What is in it: each candidate checks it, then those that stand by have it, and at last the host that runs the service, which goes back
    to what it had before if the service is not well with it. At most 32 KiB of text, which whoever may read the service can read."""
    validate_with: Annotated[Argv | None, Field(alias="validate")] = None
    """With a content: a program that says, as root, whether it is right: `[/usr/sbin/nginx, -t]`. It sees the new content at its place, and
    nobody else does. Exit code 0: it is; what it says else is told in the status, so it should not print secrets."""
    reload: Annotated[list[Label], Field(max_length=4)] = []
    """With a content: units of the service, by the names of their resources, that are reloaded where they run once it is in place."""
    config_map_key_ref: KeyRef | None = None
    """Instead of `content`: a key of a ConfigMap in the namespace of the service. An edit there is seen within 10 s and goes the same way;
    while it is not there, or is no text that fits, what it was last stays."""
    template: bool | None = None
    """Whether `{{ host.name }}` in the content stands for the name of the host that it is brought to. Hosts are compared by what the manifest
    or ConfigMap says, before that. Default: it stands for itself."""
    secret_key_ref: KeyRef | None = None
    """The same from a Secret there, which the operator may read only where an admin of the namespace has bound ClusterRole
    `backstay:contents` to it. What is in it stands in no object but that Secret and one of each host's own; the file is put there with
    mode 0600 unless `mode` says otherwise; of what `validate` says, its exit code and `file:line` are told. Not with `template`."""


class KnownFile(File):
    """A file from a Secret, as the planner knows it: by the name of its content. In no manifest."""

    secret: EditionId = ""
    """See `RenderedFile`."""


class RenderedRollout(Model):
    """How another edition of a file is tried where the service runs, as its host is told it."""

    soak: Duration | None = None
    """For how long what runs must be well with it. Not set: 30s."""
    restart: Annotated[list[Label], Field(max_length=64)] = []
    """What is restarted once it is in place, by the names of resources, and what stands on it. Empty: the file's `reload` is reloaded."""
    retried_at: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """When it changes, what was refused is checked and tried again."""


class RenderedFile(VerifiedFile):
    """The same, as a host is told it."""

    content: _Content | None = None
    """What a manifest wants to be in it."""
    validate_with: Annotated[Argv | None, Field(alias="validate")] = None
    """What says whether that is right."""
    reload: Annotated[list[Label], Field(max_length=4)] = []
    """What is reloaded, once it is in place."""
    template: bool | None = None
    """Whether its content has values of the host in it."""
    secret: EditionId = ""
    """Instead of `content`: the name of what is in it, in the Secret `backstay-files-<host>`. Empty: it comes from no Secret."""
    use: EditionId = ""
    """Of the editions of this file, the one that shall be in place. Empty: the one of this content."""
    rollout: RenderedRollout | None = None
    """How it is tried where the service runs, where that is not as always."""


class Tree(Model):
    """A folder with all that is in it, which must be on every candidate, and alike. It is looked at; who brings it there is your own tool."""

    path: PlainPath
    """Where it is. Names, contents, owners, groups and permissions are compared, and where symbolic links lead, none of which is followed but
    this one. A filesystem that is mounted below it is refused."""
    include: Annotated[list[_Glob], Field(min_length=1, max_length=16)] | None = None
    """Only files that one of these fits: `*.conf` by name in any folder, `sites/*.conf` from the top, `**` for any folders. Default: all, and
    the folders themselves."""
    exclude: Annotated[list[_Glob], Field(max_length=16)] | None = None
    """What need not be alike, in the same way: `cache`, `*.log`. Of a folder, all that is in it."""
    max_files: Annotated[int, Field(ge=1, le=10_000)] = 2_000
    """Files, folders and links in it: one that holds more is not compared, and the host not ready."""
    max_bytes: Annotated[int, Field(ge=1, le=268_435_456)] = 67_108_864
    """Of all its files together."""
    max_depth: Annotated[int, Field(ge=1, le=32)] = 16
    """Folders in folders."""


class Package(Model):
    """A package that must be installed on every candidate, in the same version. It is looked at, in dpkg's database; nothing is installed."""

    name: _Package
    """Name of the package; with `:arm64` where several architectures are installed."""
    version: _Version | None = None
    """Wanted version. Default: the same as where the service runs, or ran last."""


class Certificate(Model):
    """A certificate that must be on every candidate, not ended, and the same."""

    path: PlainPath
    """File with the certificate in PEM, the server's own first."""
    key: PlainPath | None = None
    """File with its private key, which must belong to it. Of its content nothing is told to anybody."""
    names: Annotated[list[_DnsName], Field(max_length=32)] | None = None
    """Names of servers that it must be good for."""


class Endpoint(Model):
    """Something elsewhere that the service speaks to, which must answer on every candidate. Give `tcp` or `unix`."""

    tcp: _Tcp | None = None
    """Host and port: `db.example.org:5432`, `[2001:db8::1]:5432`."""
    unix: PlainPath | None = None
    """Path of a socket on the host."""


class HostSetting(Model):
    """How a host is set up, in one respect. Give exactly one of `user`, `group`, `sysctl`, `module` and `units`."""

    user: _Account | None = None
    """An account: its number, group, home, shell and further groups."""
    groups: Annotated[list[_Account], Field(min_length=1, max_length=16)] | None = None
    """With `user`: groups that it must be in. Default: the same as where the service runs, or ran last."""
    group: _Account | None = None
    """A group: its number."""
    sysctl: _Sysctl | None = None
    """A setting of the kernel: `vm.nr_hugepages`."""
    value: Annotated[str, StringConstraints(max_length=256, pattern=r"^[!-~]+( [!-~]+)*$")] | None = None
    """With `sysctl`: its value, as `sysctl -n` prints it, one blank between words. Default: as there."""
    module: Annotated[str, StringConstraints(max_length=64, pattern="^[A-Za-z0-9_][A-Za-z0-9_-]*$")] | None = None
    """A module of the kernel, which must be loaded or built in."""
    units: Annotated[list[UnitName], Field(min_length=1, max_length=8)] | None = None
    """Units whose files, drop-ins included, must be the same, and be read by systemd. What Backstay itself lays there does not count."""


class RenderedPrerequisite(Model):
    """One thing that a host looks at, exactly one kind. Without a rule: they would be paid for in each order of each host."""

    name: Label
    """Unique within the service."""
    file: RenderedFile | None = None
    """A file."""
    package: Package | None = None
    """An installed package."""
    certificate: Certificate | None = None
    """A certificate."""
    endpoint: Endpoint | None = None
    """Something that answers."""
    setting: HostSetting | None = None
    """How the host is set up."""
    path: Tree | None = None
    """A folder with all that is in it."""


class PrerequisiteOrder(Model):
    """What the host shall look at for one instance: where it runs, to know what the others are held against, and where it may run."""

    namespace: Text
    """Namespace of the service."""
    name: Text
    """Name of the HAInstance."""
    revision: Annotated[int, Field(ge=0)] = 0
    """Generation of the service that the resources were rendered from."""
    resources: Annotated[list[RenderedPrerequisite], Field(max_length=64)] = []
    """What to look at."""


class PrerequisiteFinding(Model):
    """What a host sees of one thing."""

    name: Label
    """Which resource."""
    why: Text = ""
    """Not empty: it is not there, not as the manifest declares it, or cannot be seen, in a sentence."""
    facts: Annotated[dict[str, Text], Field(max_length=8)] = {}
    """By name what hosts are compared by: a fingerprint of the content, owner, group, mode, version, end. Never content."""


class PrerequisiteReport(Model):
    """What the host sees of all that it was to look at for one instance."""

    revision: Annotated[int, Field(ge=0)] = 0
    """The revision that was looked at."""
    findings: Annotated[list[PrerequisiteFinding], Field(max_length=64)] = []
    """In the order of the resources."""


class CopyQuestion(Model):
    """One step of finding out where a prerequisite differs from that of another host: the first file of a folder, the first line of a file."""

    id: Annotated[str, StringConstraints(max_length=16, pattern="^[0-9a-f]{16}$")]
    """Of the question: the two copies, the two agents and the step. The answer has the same."""
    uid: Text
    """UID of the HAInstance."""
    name: Label
    """Which resource."""
    host: Text
    """The other host."""
    key: Annotated[str, StringConstraints(max_length=64, pattern="^[0-9a-f]{64}$")]
    """What the other host's agent makes known of its key: the answer's digests mean nothing but to those who hold one of the two keys."""
    below: Text = ""
    """A file of the folder. Empty: the resource itself."""
    first: Annotated[int, Field(ge=0)] = 0
    """From which line of a file, or which entry of a folder, on; counted from 0."""
    each: Annotated[int, Field(ge=0, le=256)] = 1
    """How many of them one digest is of. 0: which one that is."""


class CopyAnswer(Model):
    """What a host says to it. Never content."""

    id: Text
    """Of the question."""
    why: Text = ""
    """Not empty: it cannot be said, in a sentence."""
    count: Annotated[int, Field(ge=0)] = 0
    """Lines or entries that there are."""
    digests: Annotated[str, StringConstraints(max_length=2048, pattern="^[0-9a-f]*$")] = ""
    """At most 256, 8 digits each."""
    facts: Annotated[dict[str, Text], Field(max_length=8)] = {}
    """Which file it is, and which line, with the word that it begins with if everybody on the host may read the file."""


class LastRanWith(Model):
    """What a prerequisite was where the service ran well last: what other hosts are held against once it runs no more."""

    name: Label
    """Which resource."""
    what: Text
    """What it was then, so that it is not held against what an edit has put in its place: `file /etc/nginx/nginx.conf`."""
    host: Text
    """Where."""
    facts: Annotated[dict[str, Text], Field(max_length=8)] = {}
    """As that host said them."""
    since: Timestamp | None = None
    """When it was first seen to run well with these."""
    until: Timestamp | None = None
    """When it was seen not to run well any more. Not set: it does."""
    before: Annotated[dict[str, Text], Field(max_length=8)] = {}
    """What it ran well with before that, for a minute at least: a host that has it so still may take over, if it must."""


class AcceptedDifference(Model):
    """What a person has said with `backstay accept`: this host's copy may be as it is, though it is not as the one that it is held against."""

    instance: Text
    """Of which instance: the name of its HAInstance."""
    resource: Text
    """Which resource."""
    host: Text
    """Whose copy."""
    fingerprint: Text
    """Of that copy, when it was accepted."""
    than: Text
    """The host that it was held against."""
    reference: Text
    """The fingerprint of the copy there, when it was accepted."""
    by: Text
    """Who."""
    at: Text
    """When."""
    reason: Text = ""
    """Why."""
    ended: Text = ""
    """Why it does not count now: which of the two copies is another since. Empty: it counts."""


class ExpectedCopy(Model):
    """How the host that was chosen had a prerequisite: it looks again before it starts anything."""

    name: Label
    """Which resource."""
    facts: Annotated[dict[str, Text], Field(max_length=8)] = {}
    """As they must still be. What the manifest declares is not among them."""
