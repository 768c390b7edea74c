"""Mutants of files from Secrets: told nowhere, given to whom is told to have them, kept for root alone."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, API, CONTROL, PLANNER, UNIT, Mutant, one

_FAULTS: Final = f"{UNIT}/api/objects/test_editions.py"
_JUDGED: Final = f"{UNIT}/planner/judge/test_secrets.py"
_READ: Final = f"{UNIT}/control/watch/test_secrets.py"
_GIVEN: Final = f"{UNIT}/control/act/test_host_files.py"
_HAD: Final = f"{UNIT}/agent/test_secret_files.py"
_TOLD: Final = "tests/stories/test_secrets.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "what is in a Secret is named with a key that nobody else has",
        f"{API}/objects/editions.py",
        'return hmac.new(key, f"{namespace}\\0{content}".encode(), hashlib.sha256).hexdigest()[:32]',
        "return hashlib.sha256(content.encode()).hexdigest()[:32]",
        _FAULTS,
        _TOLD,
    ),
    one(
        "a file from a Secret is put there for its owner alone",
        f"{API}/objects/editions.py",
        "return file.mode or (_MODE_OF_SECRETS if is_secret(file) else None)",
        "return file.mode",
        _FAULTS,
        _TOLD,
    ),
    one(
        "the picture has names of what is in Secrets, and nothing that is in them",
        f"{CONTROL}/watch/secrets.py",
        "            data=names,",
        "            data=texts,",
        _READ,
        _TOLD,
    ),
    one(
        "the key by which Secrets are named is made once",
        f"{CONTROL}/watch/secrets.py",
        'self._key = _bytes_of((stored.get("data") or {}).get(_FIELD, "")) or await self._made(stored)',
        "self._key = await self._made(stored)",
        _READ,
    ),
    one(
        "what a host had from a ConfigMap or the manifest is not what a Secret said",
        f"{PLANNER}/judge/contents.py",
        "file.secret or None if is_secret(wanted) else file.content",
        "file.secret or file.content",
        _JUDGED,
    ),
    one(
        "that a Secret may not be read is another reason than that it is not there",
        f"{PLANNER}/judge/contents.py",
        "return (NO_ACCESS if is_forbidden else CONTENT_MISSING), why",
        "return CONTENT_MISSING, why",
        _JUDGED,
    ),
    one(
        "all files from Secrets of a service have an end together",
        f"{PLANNER}/judge/contents.py",
        "much = _secret_bytes(world, service) if is_secret(file) else",
        "much = 0 if is_secret(file) else",
        _JUDGED,
    ),
    one(
        "a host has in its Secret what it is told to have, and nothing of another",
        f"{CONTROL}/act/host_files.py",
        "            needed = self._needed(host)",
        "            needed = {name: where for one in assignments for name, where in self._needed(one).items()}",
        _GIVEN,
        _TOLD,
    ),
    one(
        "what a host is told to have no more is taken from its Secret",
        f"{CONTROL}/act/host_files.py",
        "if now_s - since_s >= KEPT_S]",
        "if False]",
        _GIVEN,
    ),
    one(
        "what a host was given has an end",
        f"{CONTROL}/act/host_files.py",
        "            if _bytes(data.values()) + len(raw) > MOST_BYTES:",
        "            if False:",
        _GIVEN,
    ),
    one(
        "into a Secret that is not for files of a host nothing is written",
        f"{CONTROL}/act/host_files.py",
        'if body.get("type") == FILES_TYPE else ""',
        'if body else ""',
        _GIVEN,
    ),
    one(
        "what stands in a host's Secret under another's name is given to nobody",
        f"{CONTROL}/act/host_files.py",
        "text is not None and self._texts.is_called(name, namespace, text)",
        "text is not None",
        _GIVEN,
    ),
    one(
        "who does not lead gives hosts nothing",
        f"{CONTROL}/act/host_files.py",
        "            if self._leads():",
        "            if True:",
        _GIVEN,
    ),
    one(
        "of what a program says of a file from a Secret its words are not told",
        f"{AGENT}/standby/editions.py",
        "return without_words(why, found) if why and any(is_secret(one.file) for one in self._kept.values()) else why",
        "return why",
        _TOLD,
    ),
    one(
        "what was there before a file from a Secret is not named by what is in it",
        f"{AGENT}/standby/editions.py",
        "            there = replace(there, named=self._secrets.another_name())",
        "            pass",
        _HAD,
    ),
    one(
        "an agent asks for what it lacks of Secrets, and not for what it remembers",
        f"{AGENT}/standby/editions.py",
        "if not name or edition_id(kept.file) in record.editions:",
        "if not name:",
        _HAD,
    ),
    one(
        "nothing is put in place of what could not be had from a Secret",
        f"{AGENT}/core/editions.py",
        "return found or (_staging(view) if not view.missing else None)",
        "return found or _staging(view)",
        _HAD,
    ),
    one(
        "a host asks again for a content that has not come yet",
        f"{AGENT}/standby/secret_files.py",
        "return self.name != name or (self.text is None and now_s - self.at_s >= ASK_AGAIN_S)",
        "return self.name != name",
        _HAD,
    ),
    one(
        "what the operator may read for itself is brought to nobody",
        f"{CONTROL}/watch/contents.py",
        "        if namespace in (lease.NAMESPACE, self._texts.namespace):",
        "        if False:",
        _READ,
    ),
    one(
        "a content is named for its namespace alone",
        f"{API}/objects/editions.py",
        'f"{namespace}\\0{content}".encode()',
        "content.encode()",
        _FAULTS,
    ),
)
