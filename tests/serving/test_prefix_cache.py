"""The prefix cache against plain lists, direct counting, and the hit rates measured on a public trace."""

import os
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.serving.cluster import ClusterPlan, Details, PoolPlan, simulate
from sim.serving.prefix_cache import CacheTier, PrefixCache, PrefixSettings
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traces import load_trace
from sim.serving.traffic import Requests

BLOCK = 512


def one_by_one(prompts, room, tiers=()):
    """Hits in blocks of prompts that come one after the other, with so many blocks of device memory."""
    cache = PrefixCache(PrefixSettings(BLOCK, tiers))
    hits = []
    for ids in prompts:
        known = cache.match(ids)
        cache.acquire(ids[:known])
        cache.insert(ids[known:])
        cache.release(ids)
        cache.trim(room)
        hits.append(known)
    assert cache.pinned == 0
    assert cache.idle <= room
    return hits


def brute_force(prompts, room):
    """Least recently used, the end of a path before its beginning."""
    cache: OrderedDict[int, None] = OrderedDict()
    hits = []
    for ids in prompts:
        known = 0
        while known < len(ids) and ids[known] in cache:
            known += 1
        hits.append(known)
        for block in reversed(ids):
            cache[block] = None
            cache.move_to_end(block)
        while len(cache) > room:
            cache.popitem(last=False)
    return hits


def paths(seed, count):
    """Prompts as ways down a tree."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        node, way = 1, []
        for _ in range(rng.integers(0, 8)):
            node = 3 * node + int(rng.integers(0, 3))
            way.append(node)
        found.append(way)
    return found


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40))
def test_least_recently_used(seed, room):
    prompts = paths(seed, 60)
    assert one_by_one(prompts, room) == brute_force(prompts, room)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 15), st.integers(0, 15), st.integers(0, 15))
def test_tiers_add_up_to_one_list(seed, device, host, disk):
    prompts = paths(seed, 60)
    tiers = (CacheTier(host, 1e-6), CacheTier(disk, 1e-5))
    assert one_by_one(prompts, device, tiers) == brute_force(prompts, device + host + disk)


def test_loading_takes_its_time():
    """Two blocks on the host at 1 us, one on disk at 10 us per token: 512 x (2 x 1 + 10) us."""
    cache = PrefixCache(PrefixSettings(BLOCK, (CacheTier(2, 1e-6), CacheTier(5, 1e-5))))
    cache.insert([1, 2, 3])
    cache.release([1, 2, 3])
    cache.trim(0)
    assert cache.match([1, 2, 3]) == 3
    loaded, time = cache.acquire([1, 2, 3])
    assert loaded == 3 * BLOCK
    assert time == pytest.approx(BLOCK * 12e-6)


def mooncake():
    shared = os.environ.get("CHIP_PARITY_SHARED", "")
    path = Path(shared) / "data" / "traces" / "mooncake_fast25_conversation.jsonl"
    if not shared or not path.exists():
        pytest.skip(
            "the Mooncake trace is not here: set CHIP_PARITY_SHARED to the folder that has data/traces"
        )
    trace = load_trace(path)
    assert trace.blocks is not None
    return trace


@pytest.mark.parametrize(("blocks", "published"), [(10_000, 0.215), (30_000, 0.332), (10**7, 0.374)])
def test_hit_rate_of_the_mooncake_conversation_trace(blocks, published):
    """Token-weighted hit rates measured on the file with an LRU cache of so many blocks: 21.5, 33.2, 37.4 % (endless).

    Ours drops the end of a path before its beginning and counts full blocks only, which moves a small cache a little.
    """
    trace = mooncake()
    ids = [
        list(blocks_of)[: prompt // BLOCK]
        for blocks_of, prompt in zip(trace.blocks, trace.requests.prompt, strict=True)
    ]
    hits = one_by_one(ids, blocks)
    if blocks == 10**7:
        known: set[int] = set()
        for way, hit in zip(ids, hits, strict=True):
            assert hit == next((n for n, block in enumerate(way) if block not in known), len(way))
            known.update(way)
    rate = BLOCK * sum(hits) / trace.requests.prompt.sum()
    assert rate == pytest.approx(published, abs=0.01)


def test_an_instance_with_endless_memory_finds_what_direct_counting_finds():
    trace = mooncake()
    rows = slice(0, 1500)
    prompt = trace.requests.prompt[rows]
    requests = Requests(np.zeros(1500), prompt, np.full(1500, 2, np.int32), np.zeros(1500, np.int32))
    limits = ReplicaLimits(1, 10**8, prefix=PrefixSettings(BLOCK))
    plan = ClusterPlan(PoolPlan(StepCost([1e-3, 1e-3], 0.0, 1e-3, 1e-6), limits, 1))
    run = simulate(plan, requests, clients=1, details=Details(hashes=trace.blocks[rows]))
    known: set[int] = set()
    counted = 0
    for ids, tokens in zip(trace.blocks[rows], prompt.tolist(), strict=True):
        full = list(ids)[: tokens // BLOCK]
        hit = next((n for n, block in enumerate(full) if block not in known), len(full))
        known.update(full)
        counted += min(hit * BLOCK, tokens - 1)
    assert run.serve.hit_tokens == counted
    assert run.hit_rate() == pytest.approx(counted / prompt.sum())
