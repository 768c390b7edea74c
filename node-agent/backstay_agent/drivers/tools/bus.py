"""D-Bus, as little of it as the agent needs: call a method, receive a signal, learn that the connection is gone.

The real one is sdbus, imported only when a connection is made: an agent without systemd resources starts without it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol

SYSTEMD: Final = "org.freedesktop.systemd1"

# PID 1 answers within milliseconds; a daemon-reload on a large host takes seconds.
CALL_LIMIT_S: Final = 10.0
RELOAD_LIMIT_S: Final = 60.0
MOST_CALLS: Final = 64
CONNECTION_GONE: Final = "the connection to D-Bus is gone"
"""At a time. The bus breaks off what exceeds 128 calls of a connection that wait for their answers."""

log = logging.getLogger(__name__)


class BusError(Exception):
    """A call was refused or the connection is gone. `name` is D-Bus' name of the error, for programs."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Member:
    """Where a method or signal stands."""

    path: str
    """Of a signal that is listened to, empty: wherever it comes from."""
    interface: str
    name: str


Contents = Callable[[], tuple[Any, ...]]
"""What a signal says, read only where somebody wants to know: that takes its time."""
OnSignal = Callable[[str, Contents], None]
"""Called with the object's path."""


class Bus(Protocol):
    """One connection to the system bus, to talk to systemd."""

    async def call(
        self, member: Member, signature: str = "", *args: object, limit_s: float = CALL_LIMIT_S
    ) -> tuple[Any, ...]:
        """Call a method of systemd and wait for its answer. Raises BusError."""

    async def listen(self, member: Member, callback: OnSignal, *, sender: str = SYSTEMD) -> None:
        """Call back at each such signal, for as long as the connection lives."""

    def post(self, member: Member, signature: str = "", *args: object) -> None:
        """Call a method and wait for nothing; whether it worked is never known."""

    def close(self) -> None:
        """Hang up."""


def preload() -> None:
    """Import sdbus now, so that the first connection need not. Where it is missing, that connection says so."""
    with suppress(ImportError):
        import_module("sdbus.sd_bus_internals")


async def connect(on_lost: Callable[[], None]) -> Bus:
    """Open a connection to the system bus. `on_lost` is called once, when it breaks. Raises BusError."""
    try:
        from sdbus.sd_bus_internals import sd_bus_open_system
    except ImportError as error:
        raise BusError("sdbus", f"the Python package sdbus is missing: {error}") from error
    try:
        return _Sdbus(sd_bus_open_system(), on_lost)
    except Exception as error:
        raise _translated(error) from error


class _Sdbus:
    def __init__(self, bus: Any, on_lost: Callable[[], None]) -> None:
        self._bus = bus
        self._on_lost = on_lost
        self._calls: set[asyncio.Future[Any]] = set()
        self._turns = asyncio.Semaphore(MOST_CALLS)
        # A match ends when its slot is forgotten.
        self._slots: list[Any] = []
        # sdbus tells nobody that the other side has hung up; and under many signals it may stop to read, for ever.
        self._socket = os.dup(bus.get_fd())
        self._news = select.epoll()
        self._news.register(self._socket, select.EPOLLIN | select.EPOLLRDHUP)
        asyncio.get_running_loop().add_reader(self._news.fileno(), self._on_news)

    async def call(
        self, member: Member, signature: str = "", *args: object, limit_s: float = CALL_LIMIT_S
    ) -> tuple[Any, ...]:
        try:
            reply = await self._answer(lambda: self._bus.call_async(self._message(member, signature, args)), limit_s)
        except TimeoutError as error:
            raise BusError("timeout", f"systemd did not answer {member.name} within {limit_s:g} s") from error
        except Exception as error:
            raise _translated(error) from error
        contents: tuple[Any, ...] = reply.parse_to_tuple()
        return contents

    async def listen(self, member: Member, callback: OnSignal, *, sender: str = SYSTEMD) -> None:
        about = (sender, member.path or None, member.interface, member.name)
        try:
            slot = await self._answer(
                lambda: self._bus.match_signal_async(
                    *about, lambda message: callback(message.path, message.parse_to_tuple)
                ),
                CALL_LIMIT_S,
            )
        except Exception as error:
            raise _translated(error) from error
        self._slots.append(slot)

    def post(self, member: Member, signature: str = "", *args: object) -> None:
        with suppress(Exception):
            message = self._message(member, signature, args)
            message.expect_reply = False  # else it would count among the calls that wait for an answer
            message.send()

    def _message(self, member: Member, signature: str, args: tuple[object, ...]) -> Any:
        message = self._bus.new_method_call_message(SYSTEMD, member.path, member.interface, member.name)
        if signature:
            message.append_data(signature, *args)
        return message

    def close(self) -> None:
        if self._socket < 0:
            return
        asyncio.get_running_loop().remove_reader(self._news.fileno())
        self._news.close()
        os.close(self._socket)
        self._socket = -1
        with suppress(Exception):
            self._bus.close()

    async def _answer(self, send: Callable[[], asyncio.Future[Any]], limit_s: float) -> Any:
        async with self._turns:
            call = send()
            self._calls.add(call)
            try:
                async with asyncio.timeout(limit_s):
                    return await call
            finally:
                self._calls.discard(call)

    def _on_news(self) -> None:
        """Something came in, whether sdbus listens at the moment or not; or the other side has hung up."""
        events = [event for _, event in self._news.poll(0)]
        if any(event & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR) for event in events):
            self._hung_up()
        elif events:
            try:
                self._bus.process()
            except Exception:  # whatever it is: a connection that cannot be read is none
                log.exception("the connection to D-Bus is given up")
                self._hung_up()

    def _hung_up(self) -> None:
        self.close()
        for call in self._calls:
            if not call.done():
                call.set_exception(BusError("disconnected", CONNECTION_GONE))
        self._on_lost()


def _translated(error: Exception) -> BusError:
    if isinstance(error, BusError):
        return error
    name = getattr(error, "dbus_error_name", None)
    if name is None and len(error.args) == 2:
        return BusError(str(error.args[0]), str(error.args[1]))
    return BusError(str(name or type(error).__name__), str(error) or type(error).__name__)
