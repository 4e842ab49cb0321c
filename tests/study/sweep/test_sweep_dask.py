"""A sweep on a Dask cluster: the same results, also when a worker dies."""

import os
import signal
from pathlib import Path

import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.study.sweep.cache import Cache
from sim.study.sweep.grid import axis
from sim.study.sweep.run import Progress, plan_sweep, run_sweep
from sim.study.sweep.table import results_table
from sim.study.sweep.workers import workers

distributed = pytest.importorskip("distributed")


def test_a_dask_cluster_that_loses_a_worker(scenario: str, tmp_path: Path) -> None:
    asked = plan_sweep(Catalogue(), scenario, [axis("clusters.a.chips=16,24")], 200, 1)
    with workers(1, None) as crew:
        run_sweep(asked, Cache(tmp_path / "here"), crew)
    killed: list[int] = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, protocol="tcp", silence_logs=50
    ) as cluster:
        pids = [worker.process.pid for worker in cluster.workers.values()]

        def tell(state: Progress) -> None:
            if state.done and not killed:
                os.kill(pids[0], signal.SIGKILL)
                killed.append(pids[0])

        with workers(1, cluster.scheduler_address) as crew:
            assert crew.size == 2
            assert run_sweep(asked, Cache(tmp_path / "dask"), crew, tell) == {}
    assert killed
    here, dask = (results_table(asked, Cache(tmp_path / name), {}) for name in ("here", "dask"))
    assert here.to_csv() == dask.to_csv()


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.study.sweep.workers.PATIENCE", "1s")
    with pytest.raises(InputError, match="no Dask scheduler answers"), workers(1, "tcp://127.0.0.1:9"):
        pass
