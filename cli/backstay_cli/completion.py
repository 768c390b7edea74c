"""`backstay completion SHELL`: what makes the shell complete commands, options and names; and what `kubectl backstay` asks for that."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Final

import typer
from typer import completion as typers

_PROGRAM: Final = "backstay"
_VARIABLE: Final = "_BACKSTAY_COMPLETE"

KUBECTL: Final = f"""#!/bin/sh
# As kubectl_complete-backstay, executable and on the PATH: kubectl (1.26 or later) calls it with what was typed after `kubectl backstay`,
# and reads what may stand in the place of the last word, one a line. :4 means: and no names of files.
COMP_WORDS="{_PROGRAM} $*" COMP_CWORD=$# {_VARIABLE}=complete_bash {_PROGRAM}
echo :4
"""


class Shell(StrEnum):
    """Whose completion."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"
    kubectl = "kubectl"


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh, fish, or kubectl.", metavar="SHELL")]) -> None:
    """Print what makes a shell complete commands, options, and names of services and hosts.

    bash:     source <(backstay completion bash)

    zsh:      source <(backstay completion zsh)

    fish:     backstay completion fish | source

    kubectl:  backstay completion kubectl > kubectl_complete-backstay, executable and on your PATH
    """
    if shell is Shell.kubectl:
        sys.stdout.write(KUBECTL)
    else:
        script = typers.get_completion_script(prog_name=_PROGRAM, complete_var=_VARIABLE, shell=shell.value)  # type: ignore[attr-defined]
        sys.stdout.write(f"{script}\n")
