"""How fast the serving engine plays requests, and in how much memory.

    python benchmarks/serving.py --requests 200000 --json

Budget: 50,000 requests per second and core for aggregated chat with continuous batching, chunked prefill, prefix cache,
drafts and a block-wise cache limit; ten million requests within 1 GiB. Every case runs in a process of its own, so that
its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np

from sim.serving.cluster import ClusterPlan, PoolPlan, simulate
from sim.serving.routing import least_loaded
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import LengthDistribution, Requests, draw_requests, gamma_arrivals

CHAT = LengthDistribution(1000, 1.0, 8000), LengthDistribution(250, 0.8, 2000)
REASONING = LengthDistribution(800, 1.0, 16000), LengthDistribution(3000, 0.8, 20000)
# An H100-like instance: 8 ms of weights, 40 us per sequence, 10 ns per token of context, 5 us per prompt token.
COST = StepCost([0.008 + 4e-5 * batch for batch in range(513)], 1e-8, 0.0, 5e-6, 1e-10)
LIMITS = ReplicaLimits(512, 40_000, accepted=Fraction(17, 10), lookahead=1, spare_blocks=50)


def aggregated_chat(count: int, rng: np.random.Generator) -> tuple[ClusterPlan, Requests]:
    """One aggregated instance, all features on, at nine tenths of what it carries."""
    return ClusterPlan(PoolPlan(COST, LIMITS, 1)), _requests(25.0, CHAT, count, rng)


def aggregated_fleet(count: int, rng: np.random.Generator) -> tuple[ClusterPlan, Requests]:
    """Sixteen of them behind a router that picks the least loaded."""
    return ClusterPlan(PoolPlan(COST, LIMITS, 16, least_loaded)), _requests(400.0, CHAT, count, rng)


def disaggregated_chat(count: int, rng: np.random.Generator) -> tuple[ClusterPlan, Requests]:
    """Three prefill replicas, a cache transfer, one decode instance."""
    reader = PoolPlan(replace(COST, base_s=[0.002]), replace(LIMITS, batch=10**6, kv_blocks=10**9), 3)
    return ClusterPlan(PoolPlan(COST, LIMITS, 1), reader, 1e-3, 1e-8), _requests(40.0, CHAT, count, rng)


def crowded_reasoning(count: int, rng: np.random.Generator) -> tuple[ClusterPlan, Requests]:
    """Long answers that fill the cache: admission waits, sequences are pushed out and read again."""
    tight = replace(LIMITS, kv_blocks=24_000, spare_blocks=240)
    return ClusterPlan(PoolPlan(COST, tight, 1)), _requests(2.6, REASONING, count, rng)


CASES = {
    case.__name__: case for case in (aggregated_chat, aggregated_fleet, disaggregated_chat, crowded_reasoning)
}


def _requests(
    rate: float, lengths: tuple[LengthDistribution, LengthDistribution], count: int, rng: np.random.Generator
) -> Requests:
    return draw_requests(gamma_arrivals(rate, 1.1, count, rng), *lengths, 0.3, rng)


def measure(name: str, count: int) -> dict[str, float | str]:
    """Play one case and say how fast it went."""
    plan, requests = CASES[name](count, np.random.default_rng(1))
    start = time.perf_counter()
    run = simulate(plan, requests)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "case": name,
        "requests_per_s": round(count / seconds),
        "output_tokens_per_s": round(float(requests.output.sum()) / seconds),
        "peak_mib": round(peak, 1),
        "preemptions": run.serve.preemptions,
        "utilisation": round(run.utilisation()["serve"], 3),
    }


def main() -> None:
    """Run all cases, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000, help="requests per case")
    parser.add_argument("--case", choices=sorted(CASES), help="only this case, in this process")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    asked = parser.parse_args()
    if asked.case:
        print(json.dumps(measure(asked.case, asked.requests)))
        return
    results = []
    for name in CASES:
        command = [sys.executable, __file__, "--case", name, "--requests", str(asked.requests)]
        results.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        if not asked.json:
            print(
                "{case:20s} {requests_per_s:>9,} requests/s  {output_tokens_per_s:>13,} tokens/s  {peak_mib:>7} MiB".format(
                    **results[-1]
                )
            )
    if asked.json:
        print(json.dumps({"cases": results}))


if __name__ == "__main__":
    main()
