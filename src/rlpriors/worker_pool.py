"""Worker processes that end with their parent.

`WorkerPool`  pool of fresh processes, for as long as a `with` block lasts

Workers of Python's own pool finish their tasks after the parent was killed, and a Ctrl-C in a terminal
reaches them too: each prints a traceback, and the parent may wait for them forever.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from threading import Thread
from types import TracebackType
from typing import Any

__all__ = ["WorkerPool"]

_CANCEL_SECONDS = 0.5


class WorkerPool(ProcessPoolExecutor):
    """Pool of fresh processes, for as long as a `with` block lasts.

    Workers ignore Ctrl-C.  They end at once, in the middle of a task, if the block ends by an exception, such
    as the parent's KeyboardInterrupt, or if the parent is killed.

    Args:
        n_workers: number of processes, at least 1.
        initializer: function that each worker calls first.
        initargs: its arguments.
        context: start method's context; processes are spawned by default, because a forked child inherits
            locks of torch's threads.

    Example:
        >>> with WorkerPool(1) as pool:
        ...     list(pool.map(abs, [-1, 2]))
        [1, 2]
    """

    def __init__(
        self,
        n_workers: int,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        context: Any = None,
        **options: Any,
    ) -> None:
        context = get_context("spawn") if context is None else context
        stop, self._stop = context.Pipe(duplex=False)
        super().__init__(n_workers, context, _start_worker, (stop, initializer, initargs), **options)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Schedule a call; a process that starts here ignores Ctrl-C from its first instruction on."""
        with _delayed_interrupt():
            return super().submit(fn, *args, **kwargs)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if error is not None:
            self.end_workers()
        return super().__exit__(kind, error, trace)

    def end_workers(self) -> None:
        """End the workers now; calls that are not finished fail."""
        self.shutdown(wait=False, cancel_futures=True)
        # The pool's thread must have removed the canceled calls: for those it prints an InvalidStateError
        # when the workers end (Python 3.11).
        time.sleep(_CANCEL_SECONDS)
        self._stop.close()


@contextmanager
def _delayed_interrupt() -> Iterator[None]:
    """Delay Ctrl-C for a moment; processes that start meanwhile inherit the delay and never receive it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its start would end the delay
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _start_worker(
    stop: Connection, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_wait_for_end, args=(stop,), daemon=True).start()
    if initializer is not None:
        initializer(*initargs)


def _wait_for_end(stop: Connection) -> None:
    """Wait until the parent is dead or closes its end of the pipe, then end this process."""
    parent = parent_process()
    wait([stop] if parent is None else [stop, parent.sentinel])
    os._exit(1)  # no process is left to receive a result
