"""A unit of the closed form with the policies of a fleet: what its plan becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sim.serving.autoscale import Autoscale
from sim.serving.plan import ClusterPlan, Failures, Maintenance, PoolPlan
from sim.serving.prefix_cache import CacheTier, PrefixSettings
from sim.serving.routing import Route
from sim.serving.steps import ReplicaLimits, Speculation


@dataclass(frozen=True, slots=True)
class TierSize:
    """Memory behind the device memory, per chip: size [byte] and bandwidth to the device [byte/s]."""

    size: float
    bandwidth: float


@dataclass(frozen=True, slots=True)
class FleetPolicies:
    """What a scenario may ask of a fleet; everything is off by default.

    Attributes
    ----------
    kv_token_bytes : float
        Key-value cache of a token, all ranks together [byte].
    block_tokens, tiers : optional
        Prefix cache: tokens of a block (None: no cache), tiers behind the device memory.
    swap : TierSize, optional
        Host memory for requests that are pushed out.
    failure_rate, repair_s : float
        Failures per chip and second [1/(chip s)], and time until an instance serves again [s].
    classes : int
        Priority classes.
    further : tuple of Speculation
        Speculative settings beside that of the plan.
    """

    kv_token_bytes: float
    units: int = 1
    route: Route | None = None
    block_tokens: int | None = None
    tiers: Sequence[TierSize] = ()
    swap: TierSize | None = None
    failure_rate: float = 0.0
    repair_s: float = 0.0
    maintenance: Maintenance | None = None
    autoscale: Autoscale | None = None
    classes: int = 1
    further: tuple[Speculation, ...] = ()


def with_policies(plan: ClusterPlan, policies: FleetPolicies) -> ClusterPlan:
    """The plan of a unit, run as the policies say.

    Notes
    -----
    Of a disaggregated unit, the prefill pool has the prefix cache, in as many blocks per chip as the decode pool has, and
    the decode pool swaps and scales. Failures and maintenance meet both.
    """
    serve, prefill = plan.serve, plan.prefill
    if prefill is not None:
        per_chip = serve.limits.kv_blocks / serve.chips
        bounded = replace(prefill.limits, kv_blocks=max(int(per_chip * prefill.chips), 1))
        limits = bounded if policies.block_tokens else prefill.limits
        prefill = _restless(replace(prefill, limits=limits), policies)
        prefill = _routed(_cached(prefill, policies), policies.route)
    else:
        serve = _routed(_cached(serve, policies), policies.route)
    serve = replace(_restless(_swapping(serve, policies), policies), autoscale=policies.autoscale)
    return replace(plan, serve=serve, prefill=prefill, units=policies.units)


def on_two_systems(reading: ClusterPlan, decoding: ClusterPlan, share: float) -> ClusterPlan:
    """Prompts read by the prefill pool of one unit, decoded by the decode pool of another, on different chips.

    Parameters
    ----------
    share : float
        Requests per second of the decoding unit over those of the reading one: so many of its replicas are needed.

    Notes
    -----
    The cache goes at the pace of the slower network of the two.
    """
    assert reading.prefill is not None
    replicas = max(round(reading.prefill.replicas * share), 1)
    return replace(
        decoding,
        prefill=replace(reading.prefill, replicas=replicas),
        transfer_s=max(reading.transfer_s, decoding.transfer_s),
        transfer_token_s=max(reading.transfer_token_s, decoding.transfer_token_s),
    )


def _blocks(tier: TierSize, pool: PoolPlan, kv_token_bytes: float, block_tokens: int) -> int:
    return int(tier.size * pool.chips / (kv_token_bytes * block_tokens))


def _cached(pool: PoolPlan, policies: FleetPolicies) -> PoolPlan:
    if not policies.block_tokens:
        return pool
    each, size = policies.kv_token_bytes, policies.block_tokens
    tiers = tuple(
        CacheTier(_blocks(tier, pool, each, size), each / (tier.bandwidth * pool.chips))
        for tier in policies.tiers
    )
    return replace(pool, limits=replace(pool.limits, prefix=PrefixSettings(size, tiers)))


def _swapping(pool: PoolPlan, policies: FleetPolicies) -> PoolPlan:
    if policies.swap is None:
        return pool
    blocks = _blocks(policies.swap, pool, policies.kv_token_bytes, pool.limits.block_tokens)
    token_s = policies.kv_token_bytes / (policies.swap.bandwidth * pool.chips)
    return replace(pool, limits=replace(pool.limits, swap_blocks=blocks, swap_token_s=token_s))


def _restless(pool: PoolPlan, policies: FleetPolicies) -> PoolPlan:
    rate = policies.failure_rate * pool.chips
    failures = Failures(1.0 / rate, policies.repair_s) if rate > 0 else None
    limits: ReplicaLimits = replace(pool.limits, classes=policies.classes, further=policies.further)
    return replace(pool, limits=limits, failures=failures, maintenance=policies.maintenance)


def _routed(pool: PoolPlan, route: Route | None) -> PoolPlan:
    return pool if route is None else replace(pool, route=route)
