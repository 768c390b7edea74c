"""What we have mounted, or were about to: one small file each in `/run`, which is gone at a boot just as mounts are."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from backstay_api.objects.plain import RenderedResource

from .sources import Source

NOTES: Final = Path("/run/backstay/mounts")


def digest(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:12]


class Notes:
    """By the path where it is mounted."""

    def __init__(self, folder: Path = NOTES) -> None:
        self._folder = folder

    def write(self, resource: RenderedResource, source: Source) -> None:
        """Raises OSError."""
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        text = json.dumps({"resource": resource.to_wire(), "source": [source.name, source.dev, source.root]})
        fresh = self._note(resource).with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self._note(resource))

    def source(self, resource: RenderedResource) -> Source | None:
        """What we have mounted for it, where the device itself may be gone."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            noted = json.loads(self._note(resource).read_text())
            before = RenderedResource.from_wire(noted["resource"]).mount
            if before and resource.mount and before.device == resource.mount.device:
                return Source(*noted["source"])
        return None

    def remove(self, resource: RenderedResource) -> None:
        self._note(resource).unlink(missing_ok=True)

    def all(self) -> list[RenderedResource]:
        found: list[RenderedResource] = []
        for note in sorted(self._folder.glob("*.json")):
            with suppress(FileNotFoundError, ValueError, KeyError):
                found.append(RenderedResource.from_wire(json.loads(note.read_text())["resource"]))
        return found

    def _note(self, resource: RenderedResource) -> Path:
        assert resource.mount is not None
        return self._folder / f"{digest(resource.mount.path)}.json"
