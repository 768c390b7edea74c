"""What a person can do to the machines of a lab, by a word and a host's name: the faults that the tutorial shows.

The hosts hang on the process that keeps the lab, so it is that process which is asked: a line typed where `make lab` runs.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TextIO

from backstay_dev.lab.bmc import Bmc
from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.lab import Lab
from backstay_dev.lab.shell import LabError

PROMPT: Final = "lab> "

_HOST_WORDS: Final[Mapping[str, tuple[str, Callable[[LabHost], None]]]] = {
    "off": ("power is lost: every process dies at once", LabHost.power_off),
    "on": ("the power button is pressed", lambda host: host.power_on(wait=False)),
    "reboot": ("a hard reset", lambda host: host.reboot(wait=False)),
    "freeze": ("it hangs: no process runs, its kernel still answers", LabHost.freeze),
    "thaw": ("it goes on", LabHost.thaw),
    "cut-api": ("it no longer reaches the API server, clients still reach it", LabHost.cut_api),
    "cut": ("its cable is pulled", LabHost.cut_all),
    "heal": ("network as before", LabHost.heal),
}


def _unplug(bmc: Bmc) -> None:
    bmc.knobs.unreachable = True


_BMC_WORDS: Final[Mapping[str, tuple[str, Callable[[Bmc], None]]]] = {
    "unplug-bmc": ("its BMC answers nobody any more", _unplug),
    "plug-bmc": ("its BMC is as it should be", Bmc.repair),
}

HELP: Final = "\n".join(
    [
        *(f"  {f'{word} HOST':<18} {does}" for word, (does, _) in {**_HOST_WORDS, **_BMC_WORDS}.items()),
        f"  {'run HOST COMMAND':<18} runs a program inside, as root",
    ]
)


def serve(lab: Lab, lines: Iterable[str], out: TextIO) -> None:
    """Carry out line after line, until there are no more."""
    _say(out, PROMPT, end="")
    for line in lines:
        _say(out, answer(lab, line), end="")
        _say(out, PROMPT, end="")


def answer(lab: Lab, line: str) -> str:
    """Carry out one line; what is to be printed. A mistake is a sentence, never the end of the lab."""
    try:
        match shlex.split(line):
            case []:
                return ""
            case ["run", name, *command] if name in lab.hosts and command:
                return lab.hosts[name].run(*command, check=False)
            case [word, name] if word in _HOST_WORDS and name in lab.hosts:
                does, act = _HOST_WORDS[word]
                act(lab.hosts[name])
                return f"{name}: {does}\n"
            case [word, name] if word in _BMC_WORDS and name in lab.bmcs:
                does, turn = _BMC_WORDS[word]
                turn(lab.bmcs[name])
                return f"{name}: {does}\n"
            case _:
                return f"Say what, and to which host ({', '.join(lab.hosts)}):\n{HELP}\n"
    except (LabError, ValueError) as error:
        return f"{error}\n"


def _say(out: TextIO, text: str, *, end: str = "\n") -> None:
    print(text, end=end, file=out, flush=True)
