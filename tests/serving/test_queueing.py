"""Waits against Erlang and Pollaczek-Khinchine."""

from math import exp, factorial

import numpy as np
import pytest

from sim.serving.queueing import largest_load, mean_wait, probability_of_waiting, share_waiting_less


@pytest.mark.parametrize("load", [0.1, 0.5, 0.9])
def test_one_server_is_exact(load):
    """M/M/1: rho / (1 - rho) S; M/D/1: half of it; P(W > t) = rho exp(-(1 - rho) t / S)."""
    assert mean_wait(load, 1, 2.0, 1.0, 1.0) == pytest.approx(2 * load / (1 - load))
    assert mean_wait(load, 1, 2.0, 1.0, 0.0) == pytest.approx(load / (1 - load))
    met = share_waiting_less(3.0, mean_wait(load, 1, 2.0, 1.0, 1.0), probability_of_waiting(load, 1))
    assert met == pytest.approx(1 - load * exp(-(1 - load) * 3.0 / 2.0))


@pytest.mark.parametrize(("servers", "load"), [(2, 0.5), (4, 0.7), (16, 0.8), (64, 0.9)])
def test_many_servers_are_near_erlang_c(servers, load):
    offered = servers * load
    busy = offered**servers / factorial(servers) / (1 - load)
    erlang = busy / (sum(offered**n / factorial(n) for n in range(servers)) + busy)
    assert probability_of_waiting(load, servers) == pytest.approx(erlang, abs=0.08)


def test_largest_load_solves_the_wait():
    """M/M/1, 1 s of service, 90 % within 2 s: rho exp(-(1 - rho) 2) = 0.1 has the root 0.360."""
    load = float(largest_load(np.array([2.0]), np.array([1.0]), 1, 1.0, 1.0, 1.0, 0.9))
    assert load * exp(-2 * (1 - load)) == pytest.approx(0.1, rel=1e-4)
    assert load == pytest.approx(0.360, abs=0.001)


def test_no_load_where_the_limit_is_past():
    assert largest_load(np.array([-0.1, 1.0]), np.array([0.5, 0.5]), 4, 1.0, 1.0, 1.0, 0.9) == 0
