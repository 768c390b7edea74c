"""What is in a file whose content stands in a ConfigMap or a Secret: what that says now, or, while it says nothing that could be brought, what
hosts were told last.

So what somebody deletes or spoils there takes nothing from any host. Only a service that never had the content is refused for it. Of a
Secret the content is known by its name alone; all else is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from backstay_api.objects.bounds import MOST_CONTENT_BYTES
from backstay_api.objects.editions import fault_of_text, is_brought, is_referred, is_secret, told_bytes
from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.prerequisites import File, KnownFile, RenderedFile
from backstay_api.objects.models.resources import Resource
from backstay_operator.planner.know.contents import ConfigMapSeen, SecretSeen, object_told, ref_of, source
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

CONTENT_MISSING: Final = "ContentMissing"
"""In a word for conditions: what a ConfigMap or Secret shall say cannot be had."""
NO_ACCESS: Final = "NoAccess"
"""The same, because the operator may not read that Secret."""


def brought(world: World, service: HAService, instance: HAInstance | None, resource: Resource) -> Resource | None:
    """The same with what shall be in it, if it is brought to hosts. None: that is not known, or it is not brought."""
    file = resource.file
    if file is None or not is_brought(file):
        return None
    if not is_referred(file):
        return resource
    text = None if fault(world, service, resource) else _said(world, service, file)
    if text is None and instance is not None:
        text = _told(world, instance, resource.name, file)
    return None if text is None else with_content(resource, file, text)


def with_content(resource: Resource, file: File, text: str) -> Resource:
    """As if the manifest itself said that; of one from a Secret `text` is what its content is called."""
    if is_secret(file):
        parts = {name: getattr(file, name) for name in File.model_fields}
        return resource.model_copy(
            update={"file": KnownFile.model_construct(**parts | {"secret": text, "secret_key_ref": None})}
        )
    told = file.model_copy(update={"content": text, "config_map_key_ref": None})
    return resource.model_copy(update={"file": told})


def fault(world: World, service: HAService, resource: Resource) -> str:
    """Why what its ConfigMap or Secret says now cannot be brought, in a sentence; empty: it can, or nobody has read it yet."""
    file = resource.file
    text = _said(world, service, file) if file is not None and is_referred(file) else None
    if (why := _own_fault(world, service, resource)) or text is None or file is None:
        return why
    much = _secret_bytes(world, service) if is_secret(file) else told_bytes(_all_said(world, service))
    if much > MOST_CONTENT_BYTES:
        most = MOST_CONTENT_BYTES // 1024
        about = f"with {_key_told(service, file)} its files{' from Secrets' if is_secret(file) else ''} have"
        return f"{about} {-(-much // 1024)} KiB together, and may have {most}: make them shorter"
    return ""


def _own_fault(world: World, service: HAService, resource: Resource) -> str:
    """The same of this file by itself, whatever others there are."""
    file = resource.file
    ref = ref_of(file) if file is not None else None
    seen = world.contents.get(source(service, file)) if file is not None else None
    if file is None or ref is None or seen is None:
        return ""
    key = object_told(source(service, file))
    instead = (
        f"name another in spec.resources[{resource.name}].file.{'secret' if is_secret(file) else 'configMap'}KeyRef"
    )
    if seen.why:
        return f"{key} {seen.why}{'' if _is_forbidden(seen) else f'; or {instead}'}"
    if ref.key not in seen.data:
        return f"{key} {_lacks(seen, ref.key)}; or {instead}"
    if why := _fault_of_what_is_in(seen, ref.key, file):
        return f"{_key_told(service, file)} {why}: mend it, or {instead}"
    return ""


def _fault_of_what_is_in(seen: ConfigMapSeen, key: str, file: File) -> str:
    if isinstance(seen, SecretSeen):
        return seen.faults.get(key, "")
    return fault_of_text(seen.data[key], template=bool(file.template))


def _key_told(service: HAService, file: File) -> str:
    ref = ref_of(file)
    return f"{ref.key if ref is not None else ''} of {object_told(source(service, file))}"


def _is_forbidden(seen: ConfigMapSeen | None) -> bool:
    return isinstance(seen, SecretSeen) and seen.is_forbidden


def _lacks(seen: ConfigMapSeen, key: str) -> str:
    if isinstance(seen, SecretSeen):  # which keys it has is for those who may read it
        return f"has a {key} that is no text in UTF-8: mend it" if key in seen.binary else f"has no key {key}: add it"
    if key in seen.binary:
        return f"has {key} under binaryData, and a file that is brought is text: put it under data"
    return f"has no key {key} but {listed(sorted(seen.data)) or 'none'}: add it"


def not_read(world: World, service: HAService, file: File) -> str:
    """The object that it comes from, as people call it, if nobody has read that yet."""
    key = source(service, file)
    return "" if key in world.contents else object_told(key)


def never_had(world: World, service: HAService) -> tuple[str, str] | None:
    """A reason and a sentence why there is nothing that could be in one of its files; None if for each there is something, or may be."""
    instances = [world.instances[key] for key in sorted(world.instances_of.get(service.uid, ()))]
    for resource in service.spec.resources:
        file = resource.file
        why = fault(world, service, resource) if file is not None else ""
        if file is not None and why and not any(brought(world, service, one, resource) for one in instances):
            is_forbidden = _is_forbidden(world.contents.get(source(service, file)))
            return (NO_ACCESS if is_forbidden else CONTENT_MISSING), why
    return None


def _said(world: World, service: HAService, file: File) -> str | None:
    ref, seen = ref_of(file), world.contents.get(source(service, file))
    return seen.data.get(ref.key) if seen is not None and ref is not None else None


def _secret_bytes(world: World, service: HAService) -> int:
    """How much is in all its files from Secrets, as far as those say it now."""
    files = [one.file for one in service.spec.resources if one.file is not None and is_secret(one.file)]
    found = [(world.contents.get(source(service, file)), ref_of(file)) for file in files]
    return sum(seen.sizes.get(ref.key, 0) for seen, ref in found if isinstance(seen, SecretSeen) and ref is not None)


def _all_said(world: World, service: HAService) -> Iterator[str]:
    """In all files that are brought, with what hosts keep of those whose ConfigMap says nothing, or has not been read."""
    for resource in service.spec.resources:
        file = resource.file
        if file is None or not is_brought(file) or is_secret(file):
            continue
        text = file.content
        if is_referred(file):
            text = None if _own_fault(world, service, resource) else _said(world, service, file)
            text = text if text is not None else next(_kept(world, service, resource.name, file), None)
        if text is not None:
            yield text


def _kept(world: World, service: HAService, name: str, wanted: File) -> Iterator[str]:
    for key in sorted(world.instances_of.get(service.uid, ())):
        if (text := _told(world, world.instances[key], name, wanted)) is not None:
            yield text


def _told(world: World, instance: HAInstance, name: str, wanted: File) -> str | None:
    """What the host that runs it was told last, or any other. Rare, so that looking at every host does no harm."""
    for host in (instance.holder, *sorted(world.assignments)):
        file = _file_told(world, host, instance.uid, name)
        text = None if file is None else file.secret or None if is_secret(wanted) else file.content
        if file is not None and file.path == wanted.path and text is not None:
            return text
    return None


def _file_told(world: World, host: str, uid: str, name: str) -> RenderedFile | None:
    assignment = world.assignments.get(host)
    order = assignment.spec.prerequisites.get(uid) if assignment is not None else None
    return next((one.file for one in order.resources if one.name == name), None) if order is not None else None
