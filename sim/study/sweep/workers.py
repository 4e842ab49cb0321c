"""Where pieces are computed: in this process, in a pool of processes, or on a Dask cluster that runs already."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sim.profiles.messages import InputError, Problem

PATIENCE = "10s"  # with a scheduler that does not answer
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Here(Executor):
    """Runs each call at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The call, done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # as any executor does
            future.set_exception(error)
        return future


@dataclass(slots=True)
class Workers:
    """An executor and what it takes to go on after one of its workers died.

    Attributes
    ----------
    size : int
        Pieces that run at the same time.
    renew : callable
        A new executor in the place of a broken one.
    broken : tuple of exception types
        What a future raises when its worker died: the pieces in flight are then tried again one by one, to find
        the one that kills.
    killed : tuple of exception types
        The same where somebody else has tried them again already.
    """

    executor: Executor
    size: int
    renew: Callable[[], Executor]
    broken: tuple[type[Exception], ...] = ()
    killed: tuple[type[Exception], ...] = ()

    def restart(self) -> None:
        """Replace the executor."""
        self.executor.shutdown(wait=False, cancel_futures=True)
        self.executor = self.renew()


@contextmanager
def workers(count: int, cluster: str | None) -> Iterator[Workers]:
    """Workers for a sweep, gone afterwards.

    Parameters
    ----------
    count : int
        Processes on this machine; 1 computes in this one.
    cluster : str, optional
        Address of a Dask scheduler, instead: ``tcp://host:8786``.

    Raises
    ------
    InputError
        When the extra ``cluster`` is not installed, or nobody answers at the address.
    """
    if cluster is not None:
        yield from _dask(cluster)
        return
    found = _local(count)
    try:
        yield found
    finally:
        # Pieces that still run are of no more use to anybody.
        for process in list(getattr(found.executor, "_processes", None) or {}):
            found.executor._processes[process].terminate()  # type: ignore[attr-defined]
        found.executor.shutdown(wait=True, cancel_futures=True)


def _local(count: int) -> Workers:
    if count == 1:
        return Workers(Here(), 1, Here)
    return Workers(_pool(count), count, lambda: _pool(count), (BrokenProcessPool,))


def _pool(count: int) -> ProcessPoolExecutor:
    # One thread each: the processes fill the machine. Set before they start, as they read it then.
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def _dask(address: str) -> Iterator[Workers]:
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        message = "--cluster needs the extra `cluster`: pip install 'chip-parity[cluster]'"
        raise InputError([Problem(message)]) from None
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        message = f"--cluster {address}: no Dask scheduler answers ({type(error).__name__}); expected tcp://HOST:PORT"
        raise InputError([Problem(message)]) from None
    try:
        size = max(1, sum(client.nthreads().values()))
        executor = client.get_executor(pure=False)
        # The scheduler itself gives the pieces of a dead worker to others, and refuses one that kills several.
        yield Workers(executor, size, lambda: executor, killed=(KilledWorker,))
    finally:
        client.close()
