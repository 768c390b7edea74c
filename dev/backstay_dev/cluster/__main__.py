"""`make test-cluster`: go through the story on a real cluster, and print its figures as JSON.

python -m backstay_dev.cluster first_service helm_test    # only these of its steps, in their order

Exit code 1: a step went wrong; 2: it cannot be tried here.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from backstay_dev.lab import prerequisites
from backstay_dev.lab.shell import EXIT_CANNOT, LabError
from backstay_dev.package.versions import Release

from .node import PROGRAMS, obstacles
from .site import Site
from .sources import Source, before, earlier, packages
from .story import Story, pods

# Always the same: what is built of one source is built once.
BEFORE, NOW = Release("0.1.0", 1_700_000_000), Release("0.1.1", 1_700_000_001)
LONGEST_S: Final = 3600
"""From nothing, on a busy machine: all builds, and the story."""
Step = Callable[[], None]
_BEGUN_S: Final = time.monotonic()


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _interrupt)
    signal.alarm(LONGEST_S)
    try:
        prerequisites.install(_tell, {**prerequisites.PROGRAMS, **PROGRAMS})
        for obstacle in obstacles():
            raise LabError(obstacle)
    except LabError as error:
        _tell(str(error))
        return EXIT_CANNOT
    try:
        with tempfile.TemporaryDirectory() as scratch:
            _tell("making chart and packages")
            _tell(f"the release before is built of {before()}")
            sources = [earlier(BEFORE, before(), Path(scratch)), Source(NOW)]
            made, later = (packages(one, Path(scratch)) for one in sources)
            with Site(sources, progress=_tell) as site:
                return _told(Story(site, made, later, _tell))
    except (LabError, KeyboardInterrupt) as error:
        _tell(str(error) or "given up")
        return 1


def _told(story: Story) -> int:
    story.figures["cluster_ready_s"] = round(time.monotonic() - _BEGUN_S, 1)
    story.figures |= sizes(story.site.archives, (story.later.chart, story.later.agent))
    for step in chosen(story.steps, sys.argv[1:]):
        _tell(f"--- {step.__name__}")
        try:
            step()
        except LabError as error:
            _tell(f"{step.__name__} failed: {error}\n{pods(story.site.node)}")
            print(json.dumps({**story.figures, "failed": step.__name__}, indent=2))
            return 1
    story.figures["all_s"] = round(time.monotonic() - _BEGUN_S, 1)
    print(json.dumps(story.figures, indent=2))
    return 0


def chosen(steps: Sequence[Step], names: Sequence[str]) -> list[Step]:
    """Those that are named; all, where none is. Raises LabError with a name that is nobody's."""
    if unknown := set(names) - {step.__name__ for step in steps}:
        raise LabError(f"no step of the story: {', '.join(sorted(unknown))}")
    return [step for step in steps if not names or step.__name__ in names]


def sizes(archives: Iterable[Path], packages: Iterable[Path]) -> dict[str, float]:
    """In MB: images of this release unpacked, packages as they are."""
    images = {f"image_{one.name.partition('-')[0]}_mb": one for one in archives}
    made = {f"package_{one.name.partition('_')[0].removesuffix('.tgz')}_mb": one for one in packages}
    return {name: round(one.stat().st_size / 1e6, 2) for name, one in {**images, **made}.items()}


def _tell(line: str) -> None:
    print(f"{time.monotonic() - _BEGUN_S:6.1f} s  {line}", file=sys.stderr, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
