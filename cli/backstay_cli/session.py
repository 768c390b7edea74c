"""What every command works with: how it was called, the API server, the user, and where the answer goes.

`Tools` is the seam: everything that reaches outside this process stands in it, so that tests run the very same commands
against the in-memory API.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, TypeVar

import typer
import yaml
from rich.console import Console

from backstay_api.client import kubeconfig
from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from backstay_api.client.http import HttpApi
from backstay_api.client.transport import ApiConfig
from backstay_api.objects.kinds import raw
from backstay_api.process.service import wall

from .dry_run import DryRun
from .jsonpath import rendered
from .rights import Right, refused

T = TypeVar("T")

# Exit codes. 2 is what the option parser uses for a command that was typed wrongly.
WELL: Final = 0
FAILED: Final = 1
NO_SUCH_THING: Final = 3
NOT_NOW: Final = 4
NOT_WELL: Final = 5

EXIT_CODES: Final = """Exit codes: 0 done; 1 the API server refused or cannot be reached; 2 wrong usage;
3 there is no such service or host; 4 not possible now, and nothing was changed; 5 something is not well
(status, copies, uninstall --check) or open (discover)."""

SELF_SUBJECT_REVIEWS: Final = raw(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False
)


_TRIES: Final = 10


class Stop(Exception):
    """The command ends here, with a sentence for the user and an exit code for scripts."""

    def __init__(self, message: str, code: int = NOT_NOW) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(frozen=True)
class Options:
    """What every command may be told, before its name or after it. Empty: not said."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    all_namespaces: bool = False
    output: str = ""
    as_user: str = ""
    as_group: tuple[str, ...] = ()
    dry_run: str = ""
    """client or server: nothing is written."""

    @property
    def for_programs(self) -> bool:
        """Whether the answer is read by a program."""
        return self.output not in ("", "wide")

    def over(self, others: Options) -> Options:
        """These, and where they say nothing, the others."""
        said = {name: value for name, value in vars(self).items() if value}
        return replace(others, **said)


@dataclass(frozen=True)
class Tools:
    """The way out of this process."""

    open_api: Callable[[Options], Api]
    namespace_of: Callable[[Options], str]
    who_am_i: Callable[[Api], Awaitable[str]]
    wall: Callable[[], str]
    ask: Callable[[str], bool]
    run: Callable[[Coroutine[Any, Any, int]], int] = asyncio.run
    refused: Callable[[Api, Sequence[Right]], Awaitable[list[Right]]] = refused
    """Which of these rights this user does not have."""
    server_time: Callable[[Api], Awaitable[str]] = field(default_factory=lambda: _server_time)
    """The API server's own clock; empty where it does not tell."""
    endpoint: Callable[[Options], ApiConfig] = field(default_factory=lambda: _config)
    """Where the API server is, and by which CA it is known."""
    read_text: Callable[[Api, str], Awaitable[str]] = field(default_factory=lambda: _read_text)
    """What stands at a path of the API server that is no object: a log, another program's metrics."""


def real_tools() -> Tools:
    """The tools of a person at a terminal."""
    return Tools(_open_api, _namespace_of, _who_am_i, wall, _ask)


def _open_api(options: Options) -> Api:
    somebody = replace(_config(options), as_user=options.as_user, as_groups=options.as_group)
    return HttpApi(somebody, rng=random.Random())


def _config(options: Options) -> ApiConfig:
    return kubeconfig.load(path=options.kubeconfig or None, context=options.context or None, user_agent="backstay-cli")


def _namespace_of(options: Options) -> str:
    return kubeconfig.namespace_of(path=options.kubeconfig or None, context=options.context or None)


async def _who_am_i(api: Api) -> str:
    try:
        review = await api.create(SELF_SUBJECT_REVIEWS, {"metadata": {}})
        return str(review["status"]["userInfo"]["username"])
    except (Forbidden, NotFound, KeyError):
        return os.environ.get("SUDO_USER") or os.environ.get("USER") or "unknown"


async def _server_time(api: Api) -> str:
    """Every object that the server makes bears its time, and this one is stored nowhere."""
    try:
        review = await api.create(SELF_SUBJECT_REVIEWS, {"metadata": {}})
        return str(review["metadata"]["creationTimestamp"])
    except (Forbidden, Invalid, NotFound, KeyError):
        return ""


async def _read_text(api: Api, path: str) -> str:
    if not isinstance(api, HttpApi):
        raise NotFound(f"{path}: only a real API server has that")
    return await api.text(path)


def _ask(question: str) -> bool:
    if not sys.stdin.isatty():
        raise Stop("this needs a yes, and there is no terminal to ask at: add --yes if you mean it")
    return typer.confirm(question, default=False)


@dataclass
class Session:
    """One run of one command."""

    options: Options
    tools: Tools
    out: Console = field(default_factory=lambda: Console(soft_wrap=True, highlight=False))
    err: Console = field(default_factory=lambda: Console(soft_wrap=True, highlight=False, stderr=True))

    @cached_property
    def api(self) -> Api:
        """Opened when it is first asked: what asks nobody needs no kubeconfig."""
        api = self.tools.open_api(self.options)
        if not self.options.dry_run:
            return api
        return DryRun(api, server=self.options.dry_run == "server", tell=self.say)

    @property
    def namespace(self) -> str:
        """The namespace to look in; empty means all."""
        if self.options.all_namespaces:
            return ""
        return self.options.namespace or self.tools.namespace_of(self.options)

    async def need(self, rights: Sequence[Right], role: str) -> None:
        """Before the first write: stop where a right is missing. `role`: who has it, for the sentence."""
        missing = list(dict.fromkeys(str(right) for right in await self.tools.refused(self.api, rights)))
        if missing:
            raise Stop(f"you may not {'; nor '.join(missing)}. Nothing was changed. {role} may.", FAILED)

    def show(self, data: object, human: Callable[[], None], names: Sequence[str] = ()) -> None:
        """The answer, as asked for by -o. `names`: what `-o name` lists."""
        if self.options.output == "json":
            self.out.file.write(json.dumps(data, indent=2) + "\n")
        elif self.options.output == "yaml":
            self.out.file.write(yaml.safe_dump(data, sort_keys=False))
        elif self.options.output == "name":
            self.out.file.write("".join(f"{name}\n" for name in names))
        elif self.options.output.startswith("jsonpath="):
            self.out.file.write(rendered(self.options.output.removeprefix("jsonpath="), data) + "\n")
        else:
            human()

    @property
    def is_dry(self) -> bool:
        """Whether nothing is written, so that nothing will happen that one could wait for."""
        return bool(self.options.dry_run)

    def say(self, text: str) -> None:
        """What is going on, for people: on the terminal, never in what a program reads."""
        dry = f" ({self.options.dry_run} dry run)" if self.options.dry_run else ""
        (self.err if self.options.for_programs else self.out).print(f"{text}{dry}", markup=False)


def run(options: Options, tools: Tools, command: Callable[[Session], Awaitable[int]]) -> int:
    """Carry out one command and say how it ended."""

    async def with_api() -> int:
        session = Session(options, tools)
        try:
            return await command(session)
        finally:
            if "api" in vars(session):
                await session.api.close()

    try:
        return tools.run(with_api())
    except Stop as stop:
        return _end(stop.message, stop.code)
    except NotFound as error:
        hint = ": is Backstay's chart installed in this cluster?" if "could not find" in error.message else ""
        return _end(f"{error.message}{hint}", NO_SUCH_THING)
    except (ApiError, kubeconfig.NoConfig) as error:
        return _end(str(error), FAILED)
    except KeyboardInterrupt:
        return _end("interrupted", 130)


async def till_unchanged(key: str, step: Callable[[], Awaitable[T]]) -> T:
    """Read, decide and write anew where somebody has written the object between: the operator tells of it all the time. Raises Stop."""
    for _ in range(_TRIES):
        with suppress(Conflict):
            return await step()
    raise Stop(f"{key} is written by others all the time, and nothing was changed: try again", NOT_NOW)


def _end(message: str, code: int) -> int:
    Console(soft_wrap=True, highlight=False, stderr=True).print(f"backstay: {message}", markup=False)
    return code
