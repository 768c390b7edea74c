"""What is in a file whose content stands in a ConfigMap: what that says now, or, while it says nothing that could be brought, what hosts were
told last.

So what somebody deletes or spoils there takes nothing from any host. Only a service that never had the content is refused for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from backstay_api.objects.bounds import MOST_CONTENT_BYTES
from backstay_api.objects.editions import fault_of_text, is_brought, is_referred, told_bytes
from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.prerequisites import File, RenderedFile
from backstay_api.objects.models.resources import Resource
from backstay_operator.planner.know.contents import ConfigMapSeen, source
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

CONTENT_MISSING: Final = "ContentMissing"
"""In a word for conditions: what a ConfigMap shall say cannot be had."""


def brought(world: World, service: HAService, instance: HAInstance | None, resource: Resource) -> Resource | None:
    """The same with what shall be in it, if it is brought to hosts. None: that is not known, or it is not brought."""
    file = resource.file
    if file is None or not is_brought(file):
        return None
    if not is_referred(file):
        return resource
    text = None if fault(world, service, resource) else _said(world, service, file)
    if text is None and instance is not None:
        text = _told(world, instance, resource.name, file.path)
    return None if text is None else with_content(resource, file, text)


def with_content(resource: Resource, file: File, text: str) -> Resource:
    """As if the manifest itself said that."""
    told = file.model_copy(update={"content": text, "config_map_key_ref": None})
    return resource.model_copy(update={"file": told})


def fault(world: World, service: HAService, resource: Resource) -> str:
    """Why what its ConfigMap says now cannot be brought, in a sentence; empty: it can, or nobody has read it yet."""
    file = resource.file
    text = _said(world, service, file) if file is not None and is_referred(file) else None
    if (why := _own_fault(world, service, resource)) or text is None or file is None:
        return why
    much = told_bytes(_all_said(world, service))
    if much > MOST_CONTENT_BYTES:
        ref, most = file.config_map_key_ref, MOST_CONTENT_BYTES // 1024
        assert ref is not None, f"{file.path}: it has a text of no ConfigMap"
        about = f"with {ref.key} of ConfigMap {source(service, ref)}"
        return f"{about} its files have {-(-much // 1024)} KiB together, and may have {most}: make them shorter"
    return ""


def _own_fault(world: World, service: HAService, resource: Resource) -> str:
    """The same of this file by itself, whatever others there are."""
    file = resource.file
    ref = file.config_map_key_ref if file is not None else None
    key = source(service, ref) if ref is not None else ""
    seen = world.contents.get(key)
    if ref is None or seen is None:
        return ""
    field = f"spec.resources[{resource.name}].file.configMapKeyRef"
    if seen.why:
        return f"ConfigMap {key} {seen.why}; or name another in {field}"
    if ref.key not in seen.data:
        return f"ConfigMap {key} {_lacks(seen, ref.key)}; or name another in {field}"
    if why := fault_of_text(seen.data[ref.key], template=bool(file and file.template)):
        return f"{ref.key} of ConfigMap {key} {why}: mend it, or name another in {field}"
    return ""


def _lacks(seen: ConfigMapSeen, key: str) -> str:
    if key in seen.binary:
        return f"has {key} under binaryData, and a file that is brought is text: put it under data"
    return f"has no key {key} but {listed(sorted(seen.data)) or 'none'}: add it"


def not_read(world: World, service: HAService, resource: Resource) -> str:
    """The ConfigMap that it comes from, if nobody has read that yet."""
    ref = resource.file.config_map_key_ref if resource.file is not None else None
    key = source(service, ref) if ref is not None else ""
    return "" if key in world.contents else key


def never_had(world: World, service: HAService) -> str:
    """Why there is nothing that could be in one of its files, in a sentence; empty if for each there is something, or may be."""
    instances = [world.instances[key] for key in sorted(world.instances_of.get(service.uid, ()))]
    for resource in service.spec.resources:
        why = fault(world, service, resource) if resource.file is not None else ""
        if why and not any(brought(world, service, one, resource) for one in instances):
            return why
    return ""


def _said(world: World, service: HAService, file: File) -> str | None:
    ref = file.config_map_key_ref
    seen = world.contents.get(source(service, ref)) if ref is not None else None
    return seen.data.get(ref.key) if seen is not None and ref is not None else None


def _all_said(world: World, service: HAService) -> Iterator[str]:
    """In all files that are brought, with what hosts keep of those whose ConfigMap says nothing, or has not been read."""
    for resource in service.spec.resources:
        file = resource.file
        if file is None or not is_brought(file):
            continue
        text = file.content
        if is_referred(file):
            text = None if _own_fault(world, service, resource) else _said(world, service, file)
            text = text if text is not None else next(_kept(world, service, resource.name, file.path), None)
        if text is not None:
            yield text


def _kept(world: World, service: HAService, name: str, path: str) -> Iterator[str]:
    for key in sorted(world.instances_of.get(service.uid, ())):
        if (text := _told(world, world.instances[key], name, path)) is not None:
            yield text


def _told(world: World, instance: HAInstance, name: str, path: str) -> str | None:
    """What the host that runs it was told last, or any other. Rare, so that looking at every host does no harm."""
    for host in (instance.holder, *sorted(world.assignments)):
        file = _file_told(world, host, instance.uid, name)
        if file is not None and file.path == path and file.content is not None:
            return file.content
    return None


def _file_told(world: World, host: str, uid: str, name: str) -> RenderedFile | None:
    assignment = world.assignments.get(host)
    order = assignment.spec.prerequisites.get(uid) if assignment is not None else None
    return next((one.file for one in order.resources if one.name == name), None) if order is not None else None
