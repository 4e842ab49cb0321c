"""Collectives between the devices of one machine, one process per device."""

from __future__ import annotations

import os
import queue
import socket
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sim.calibrate.measure.plan import Case
from sim.calibrate.measure.sweep import Unsupported, first_line

LIBRARIES = {"cuda": "nccl", "npu": "hccl", "cpu": "gloo"}
REPEATS = 5
REPEAT_S = 0.03
SILENCE_S = 120.0


def collective_times(place: str, ranks: int, cases: list[Case]) -> Iterator[tuple[Case, float]]:
    """Median time of each collective [s], as the first process sees it.

    Raises
    ------
    Unsupported
        When a process ends early or nothing comes for two minutes.
    """
    import torch.multiprocessing as multiprocessing

    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    workers = [
        context.Process(target=_work, args=(place, rank, ranks, port, cases, results), daemon=True)
        for rank in range(ranks)
    ]
    for worker in workers:
        worker.start()
    try:
        for case in cases:
            yield case, _next(results, workers)
    finally:
        for worker in workers:
            worker.terminate()


def _next(results: Any, workers: Sequence[Any]) -> float:
    until = time.monotonic() + SILENCE_S
    while time.monotonic() < until:
        try:
            found = results.get(timeout=1.0)
        except queue.Empty:
            if not all(worker.is_alive() or worker.exitcode == 0 for worker in workers):
                break
            continue
        if isinstance(found, str):
            raise Unsupported(found)
        return float(found)
    raise Unsupported("a process ended early or went silent")


def _work(place: str, rank: int, ranks: int, port: int, cases: list[Case], results: Any) -> None:
    import torch
    import torch.distributed as distributed

    # Newer names of the same calls are missing in older releases.
    warnings.simplefilter("ignore", FutureWarning)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        if place != "cpu":
            if place == "npu":
                import torch_npu  # noqa: F401
            getattr(torch, place).set_device(rank)
        distributed.init_process_group(LIBRARIES[place], rank=rank, world_size=ranks)
        for case in cases:
            seconds = _timed(torch, distributed, place, _call(torch, distributed, place, ranks, case))
            if rank == 0:
                results.put(seconds)
        distributed.destroy_process_group()
    except (RuntimeError, ValueError) as error:  # how PyTorch refuses: the first process gives the reason
        results.put(first_line(error))


def _call(torch: Any, distributed: Any, place: str, ranks: int, case: Case) -> Callable[[], Any]:
    count = case.size("bytes") // 2
    whole = torch.ones(count, dtype=torch.bfloat16, device=place)
    part = torch.ones(count // ranks, dtype=torch.bfloat16, device=place)
    other = torch.empty_like(whole)
    return {
        "all_reduce": lambda: distributed.all_reduce(whole),
        "all_gather": lambda: distributed.all_gather_into_tensor(other, part),
        "reduce_scatter": lambda: distributed.reduce_scatter_tensor(part, whole),
        "all_to_all": lambda: distributed.all_to_all_single(other, whole),
    }[case.family]


def _timed(torch: Any, distributed: Any, place: str, call: Callable[[], Any]) -> float:
    def elapsed(rounds: int) -> float:
        distributed.barrier()
        start = time.perf_counter()
        for _ in range(rounds):
            call()
        if place != "cpu":
            getattr(torch, place).synchronize()
        return time.perf_counter() - start

    elapsed(3)
    slowest = torch.tensor([elapsed(2) / 2], dtype=torch.float32, device=place)
    distributed.all_reduce(slowest, op=distributed.ReduceOp.MAX)  # all run the same number of rounds
    rounds = max(1, int(REPEAT_S / max(float(slowest), 1e-7)))
    return statistics.median(elapsed(rounds) / rounds for _ in range(REPEATS))
