"""Waits against Erlang and Pollaczek-Khinchine."""

from math import exp, factorial

import numpy as np
import pytest

from sim.serving.queueing import (
    Passes,
    largest_load,
    mean_wait,
    probability_of_waiting,
    share_waiting_less,
)


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


def test_waiting_for_the_end_of_a_pass():
    """M/M/1 at load 1/2 with 1 s of service waits an exponential time of mean 2 s with probability 1/2. After a uniform
    time up to 3 s, drawn: the share within 2 s."""
    rng = np.random.default_rng(0)
    drawn = rng.uniform(0, 3, 10**6) + rng.exponential(2.0, 10**6) * (rng.random(10**6) < 0.5)
    for limit in (0.5, 2.0, 5.0):
        found = share_waiting_less(limit, 1.0, 0.5, 3.0)
        assert found == pytest.approx(np.mean(drawn <= limit), abs=0.002)
    assert share_waiting_less(2.0, 1.0, 0.5, 1e-4) == pytest.approx(
        share_waiting_less(2.0, 1.0, 0.5), abs=1e-3
    )


def test_passes_grow_with_the_load_until_they_are_full():
    """A server that takes all that came during its last pass: T = 0.1 + load x T, so 0.2 at one half; at most 1 s."""
    passes = Passes(0.1, 1.0)
    assert passes.length_s(0.5) == pytest.approx(0.2)
    assert passes.own_s(0.5) == pytest.approx(0.2)
    assert passes.length_s(0.99) == pytest.approx(1.0)
    in_step = Passes(0.1, 1.0, True)
    assert in_step.length_s(0.5) == pytest.approx(1.0)
    assert in_step.own_s(0.5) == 0.0


def test_no_load_where_a_pass_alone_is_too_long():
    """90 % within 1 s, when the wait for the end of a pass alone is uniform up to 2 s: half of them are late."""
    full = Passes(0.0, 2.0, True)
    assert largest_load(np.array([1.0]), np.array([1.0]), 4, 0.1, 1.0, 1.0, 0.9, full) == 0
    assert largest_load(np.array([1.9]), np.array([1.0]), 4, 0.1, 1.0, 1.0, 0.9, full) > 0.3
