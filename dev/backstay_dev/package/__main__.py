"""`make package`: fill `dist/`."""

from __future__ import annotations

import sys

from backstay_dev.lab.shell import EXIT_CANNOT, REPOSITORY, LabError

from .build import build
from .versions import release


def main() -> int:
    try:
        made = build(release(), REPOSITORY / "dist")
    except LabError as error:
        print(error, file=sys.stderr)
        return EXIT_CANNOT
    for file in made:
        print(f"{file.stat().st_size / 1e6:7.2f} MB  {file.relative_to(REPOSITORY)}")
    return 0


sys.exit(main())
