"""Speed of the campaign engine: one year of 20,000 chips (budget 0.2 s), and 1,000 draws in closed form."""

from __future__ import annotations

import time

import numpy as np

from sim.training.campaign import simulate
from sim.training.campaign_plan import CampaignPlan, Cause
from sim.training.goodput import goodput

DAY = 86_400.0
CHIPS = 20_000
PLAN = CampaignPlan(
    work_s=330 * DAY,
    chips=CHIPS,
    failure_rate=419 / (16_384 * 54 * DAY),  # arXiv:2407.21783, section 3.3.4
    causes=(Cause("chip", 0.64), Cause("host", 0.21), Cause("software", 0.15, 0.0)),
    restart_s=600.0,
    swap_share=0.3,
    swap_s=180.0,
    checkpoint_s=2.0,
    write_s=120.0,
    planned_downtime=0.01,
    spares=0.02,
    repair_s=3 * DAY,
    straggler_rate=0.1 / (16_384 * DAY),
    straggler_s=3600.0,
    straggler_loss=0.2,
)


def best_of(repeats: int, work) -> float:
    """Shortest of several timings [s]."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    run = simulate(PLAN, np.random.default_rng(1))
    seconds = best_of(5, lambda: simulate(PLAN, np.random.default_rng(1)))
    print(
        f"{run.wall_s / DAY:.0f} days, {CHIPS:,} chips, {run.stops:,} stops, {len(run.events):,} log entries"
    )
    print(f"event engine: {seconds:.3f} s (budget 0.2 s)")
    rates = np.random.default_rng(2).lognormal(np.log(PLAN.failure_rate), 0.5, 1000)
    draws = CampaignPlan(
        work_s=PLAN.work_s, chips=CHIPS, failure_rate=rates, restart_s=600.0, checkpoint_s=10.0
    )
    print(f"closed form, 1,000 draws: {best_of(5, lambda: goodput(draws)) * 1e3:.2f} ms")
    expected = goodput(PLAN)
    print(f"share of the calendar: closed form {float(expected.share):.4f}, this run {run.share:.4f}")


if __name__ == "__main__":
    main()
