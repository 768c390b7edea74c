"""What an agent is told to run: the resources of a service, as it carries them out, with nothing in them that it need not know."""

from __future__ import annotations

from backstay_api.objects.models import HAService
from backstay_api.objects.models.assignment import RenderedResource
from backstay_api.objects.models.resources import Resource, Timeouts


def resources(service: HAService) -> list[RenderedResource]:
    """The resources of an accepted service, in the order in which they are started."""
    return [_rendered(resource) for resource in service.spec.resources]


def _rendered(resource: Resource) -> RenderedResource:
    return RenderedResource(
        name=resource.name,
        systemd=resource.systemd,
        command=resource.command,
        virtual_ip=resource.virtual_ip,
        timeouts=resource.timeouts or Timeouts(),
        probes=resource.probes or [],
    )
