"""The CLI's package: `backstay`, `kubectl backstay` and what completes their words in shells.

Debian has pydantic, typer and rich only in older versions, so they are in it; the official Kubernetes package, which is large and
only finds credentials, is Debian's.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from typer._completion_shared import get_completion_script

from backstay_dev.lab.shell import REPOSITORY

from .debian import Description
from .trees import copy_cli, write
from .versions import Release
from .wheels import MACHINES, Wanted, Wheel, fetch, unpack

LIB: Final = "usr/lib/backstay-cli"
CARRIED: Final = (
    *("annotated-doc", "annotated-types", "markdown-it-py", "mdurl", "pydantic", "pygments", "rich", "shellingham"),
    *("typer", "typing-extensions", "typing-inspection"),
)
COMPILED: Final = ("pydantic-core",)
PYTHONS: Final = ("3.11", "3.12", "3.13")
"""Debian 12, Ubuntu 24.04, Debian 13."""

DESCRIPTION: Final = Description(
    name="backstay-cli",
    summary="backstay and kubectl backstay: what is not well and why, and what people do to hosts",
    depends=("python3 (>= 3.11)", "python3 (<< 3.14)", "python3-yaml", "python3-kubernetes"),
    # Compiled where it is used: by this Python, and nobody who runs it may write there.
    scripts={
        "postinst": f'#!/bin/sh\nset -e\n[ "$1" != configure ] || python3 -m compileall -q /{LIB} || true\n',
        "prerm": f"#!/bin/sh\nset -e\nfind /{LIB} -name __pycache__ -prune -exec rm -r {{}} +\n",
    },
)
_PROGRAM: Final = """\
#!/usr/bin/python3 -IB
import os
import sys
from pathlib import Path

LIB = Path(__file__).resolve().parents[1] / "lib" / "backstay-cli"
sys.path[:0] = [str(LIB), f"{LIB}/{os.uname().machine}-{sys.version_info[0]}.{sys.version_info[1]}"]

from backstay_cli.main import main

main()
"""
_KUBECTL_COMPLETE: Final = """\
#!/bin/sh
# kubectl asks this for the words that may follow `kubectl backstay …`; 4: no names of files.
_BACKSTAY_COMPLETE=complete_bash COMP_WORDS="backstay $*" COMP_CWORD=$# backstay
echo :4
"""
_COMPLETIONS: Final = {
    "bash": "usr/share/bash-completion/completions/backstay",
    "zsh": "usr/share/zsh/vendor-completions/_backstay",
    "fish": "usr/share/fish/vendor_completions.d/backstay.fish",
}


def fill(root: Path, release: Release) -> list[Wheel]:
    """Lay out the package's files below `root`; what of others is in it."""
    lib = root / LIB
    copy_cli(lib, release)
    carried = fetch(Wanted(CARRIED))
    unpack(carried, lib)
    for machine in MACHINES:
        for python in PYTHONS:
            compiled = fetch(Wanted(COMPILED, machine, python))
            unpack(compiled, lib / f"{machine}-{python}")
            carried = [*carried, *compiled]
    for name in ("backstay", "kubectl-backstay"):
        write(root / "usr/bin" / name, _PROGRAM, is_program=True)
    write(root / "usr/bin/kubectl_complete-backstay", _KUBECTL_COMPLETE, is_program=True)
    for shell, path in _COMPLETIONS.items():
        script = get_completion_script(prog_name="backstay", complete_var="_BACKSTAY_COMPLETE", shell=shell)
        write(root / path, script + "\n")
    doc = root / "usr/share/doc/backstay-cli"
    doc.mkdir(parents=True)
    shutil.copy(REPOSITORY / "LICENSE", doc / "copyright")
    return carried
