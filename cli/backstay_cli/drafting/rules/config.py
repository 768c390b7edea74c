"""Rules 11 to 16: certificates, secrets and configuration."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final, Literal

from backstay_api.objects.survey import PathFacts
from backstay_cli.drafting.needs import Case, Confidence, Need, is_below, label, matches, why_of

_ACME: Final = ("/etc/letsencrypt", "/var/lib/caddy", "/var/lib/acme", "/var/lib/dehydrated")
_SHARED_FOLDERS: Final = (
    *(
        "/etc",
        "/etc/default",
        "/etc/sysconfig",
        "/etc/pam.d",
        "/etc/apparmor.d",
        "/etc/sudoers.d",
        "/etc/ssl",
        "/etc/pki",
    ),
    *(
        "/etc/systemd",
        "/etc/sysctl.d",
        "/etc/modules-load.d",
        "/etc/security",
        "/etc/cron.d",
        "/etc/credstore",
        "/etc/alternatives",
    ),
)
"""Where many programs have a file each: such a folder is nobody's."""


def certificates(case: Case) -> Iterator[Need]:
    """With the key that belongs to each."""
    for one in case.paths():
        known = one.certificate
        if known is None or matches(one.path, ("/usr", "/etc/ssl/certs/ca-certificates.crt")):
            continue
        made_here = known.is_self_signed and "snakeoil" in one.path
        differs = is_below(one.path, _ACME) or made_here
        spec = {"path": one.path, **({"key": known.key} if known.key else {})}
        told = f"{why_of(one)}; expires {known.expires}; {', '.join(known.names[:4]) or 'no names'}"
        told += "; made on each host, so copies differ" if made_here else ""
        covers = (one.path, *([known.key] if known.key else []))
        yield Need(
            "certificate",
            spec,
            label(f"tls-{posixpath.basename(one.path)}"),
            told,
            case.confidence(one),
            consistency="Any" if differs else "Exact",
            covers=covers,
        )


def sealed(case: Case) -> Iterator[Need]:
    """It opens with this host's key alone."""
    for one in case.paths():
        if is_below(one.path, ("/etc/credstore.encrypted",)) or any(
            clue.word == "LoadCredentialEncrypted" for clue in one.clues
        ):
            yield _file(one, f"{why_of(one)}; sealed for this host: seal it on each host anew", consistency="Any")


def secrets(case: Case) -> Iterator[Need]:
    """Its content is in no survey and in no draft."""
    for one in case.paths():
        is_private = (
            one.type == "File"
            and one.mode != 0
            and not one.mode & 0o004
            and is_below(one.path, ("/etc", "/root", "/srv", "/opt", "/home"))
        )
        is_config = (
            one.path in case.recipe.config
            or any(clue.how == "Argument" for clue in one.clues)
            or (one.is_conffile and not one.is_secret)
        )
        if (one.is_secret or is_private) and not one.package and not is_config and not _in_a_folder(case, one):
            why = f"{why_of(one)}; secret: nobody but its owner reads it"
            yield _file(one, why, case.confidence(one), consistency="Exact")


def _in_a_folder(case: Case, one: PathFacts) -> bool:
    """It is brought with that."""
    return not one.is_secret and any(one.path.startswith(f"{folder}/") for folder in _folders(case))


def folders(case: Case) -> Iterator[Need]:
    """As a whole: of a folder that is read, no file is alone."""
    for folder, some in _folders(case).items():
        confidence = max(case.confidence(one) for one in some)
        if confidence is Confidence.MAYBE and any(one.package in case.software for one in some):
            confidence = Confidence.LIKELY
        changed = [one.path for one in some if one.is_changed]
        told = [_best(case, some), *([f"changed from shipped: {', '.join(changed[:4])}"] if changed else [])]
        is_main = confidence is Confidence.SURE or any(one.path in case.recipe.config for one in some)
        name = "config" if is_main else label(f"config-{folder.rpartition('/')[2]}")
        validate = f"; checked by `{' '.join(case.recipe.validate)}`" if is_main and case.recipe.validate else ""
        yield Need(
            "path",
            {"path": folder},
            name,
            f"{'; '.join(told)}{validate}",
            confidence,
            covers=(folder,),
            consistency="Exact",
            gate="" if is_main else "Warn",
        )


def _best(case: Case, some: list[PathFacts]) -> str:
    one = max(some, key=lambda each: (each.path in case.recipe.config, case.confidence(each)))
    return f"{len(some)} files found there, {one.path}: {why_of(one) or 'by its place'}"


def _folders(case: Case) -> dict[str, list[PathFacts]]:
    """The common folder of what was found below each folder of /etc that is a program's own."""
    groups: dict[str, list[PathFacts]] = {}
    for one in case.paths():
        folder = posixpath.dirname(one.path)
        top = "/".join(one.path.split("/")[:3])
        if (
            one.path.startswith("/etc/")
            and folder != "/etc"
            and top not in _SHARED_FOLDERS
            and one.type in ("File", "Directory")
            and not _is_baseline(case, one.path)
        ):
            groups.setdefault(top, []).append(one)
    found = {}
    for some in groups.values():
        files = [one for one in some if one.type == "File"]
        if len(files) > 1 or any(one.package in case.software for one in files):
            found[posixpath.commonpath([posixpath.dirname(one.path) for one in files])] = some
    return found


def files(case: Case) -> Iterator[Need]:
    """One by one, where the folder is everybody's."""
    for one in case.paths():
        is_config = is_below(one.path, ("/etc",)) or any(
            clue.how in ("Environment", "Credential", "Argument") for clue in one.clues
        )
        if one.type == "File" and is_config and not _is_baseline(case, one.path) and not one.path.startswith("/usr/"):
            confidence = case.confidence(one)
            gate: Literal["Warn", ""] = "" if confidence is Confidence.SURE else "Warn"
            yield _file(one, why_of(one) or "by its place", confidence, consistency="Exact", gate=gate)


def names_the_host(case: Case) -> Iterator[Need]:
    """What such a file holds is in no survey, so that only an address of the host among its endpoints is seen."""
    own = {one.local for one in case.survey.sockets if one.role == "Clients" and one.local}
    for one in case.survey.endpoints:
        if one.address in own or one.address == case.survey.host:
            yield Need(
                "",
                {},
                one.where,
                f"names this host itself ({one.address}): it must differ from host to host",
                strategy="",
            )


def _is_baseline(case: Case, path: str) -> bool:
    return (
        any(posixpath.normpath(path) == glob or matches(path, (glob,)) for glob in case.baseline.paths if "*" in glob)
        or path in case.baseline.paths
    )


def _file(
    one: PathFacts,
    why: str,
    confidence: Confidence = Confidence.SURE,
    *,
    consistency: Literal["Any", "Exact"],
    gate: Literal["Warn", ""] = "",
) -> Need:
    spec, covers = {"path": one.path}, (one.path,)
    return Need("file", spec, _name(one), why, confidence, consistency=consistency, gate=gate, covers=covers)


def _name(one: PathFacts) -> str:
    folder, name = posixpath.split(one.path)
    return label(f"{posixpath.basename(folder)}-{name}" if folder in _SHARED_FOLDERS[1:] else name)
