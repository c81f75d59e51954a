"""What asks a program to stop: Ctrl-C, a scheduler, a terminal that closes, a reader that is gone."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO


class Stopped(KeyboardInterrupt):
    """A signal asked to stop.

    It is a class of its own because Python ends a program started by `python -m` with SIGINT, whatever
    status it asks for, once the plain one has left code compiled from text, such as a dataclass being made.
    """


@contextmanager
def stop_signals(*, gently: bool = False) -> Iterator[list[int]]:
    """The numbers of the signals that asked to stop; each raises KeyboardInterrupt.

    With `gently` the first does not, so that what is going on is finished; a second stops at once. A SIGTERM
    or SIGHUP that is ignored, as under nohup, stays so. Outside the main thread no signal arrives.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    owner = os.getpid()

    def handle(signum: int, frame: FrameType | None) -> None:
        received.append(signum)
        if not gently or len(received) > 1 or os.getpid() != owner:  # a forked child ends at once
            raise Stopped

    known = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heeded = [signal.SIGINT, *(s for s in known if signal.getsignal(s) is not signal.SIG_IGN)]
    before = {signum: signal.signal(signum, handle) for signum in heeded}
    try:
        yield received
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def reader_gone(stream: IO[str]) -> None:
    """Stop as at a signal because nobody reads `stream`; from now on it leads nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGPIPE, None)


def exit_status(signum: int) -> int:
    """What a shell makes of a program that a signal ended."""
    return 128 + signum
