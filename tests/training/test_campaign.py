"""Weeks of a run: the closed form against published logs, the event engine against the closed form."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from sim.training.campaign import simulate, simulate_many, spread
from sim.training.campaign_plan import LOSSES, CampaignPlan, Cause
from sim.training.checkpoints import checkpoint_interval, checkpoint_time, interval_daly, interval_young
from sim.training.goodput import goodput, waiting_share

DAY, HOUR = 86_400.0, 3_600.0
LLAMA_RATE = 419 / (
    16_384 * 54 * DAY
)  # arXiv:2407.21783, section 3.3.4: 419 unplanned stops, 16,384 H100, 54 days
PLAN = CampaignPlan(
    work_s=40 * DAY, chips=16_384.0, failure_rate=LLAMA_RATE, restart_s=480.0, checkpoint_s=8.0
)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- intervals
# ---------------------------------------------------------------------------------------------------


@given(st.floats(0.1, 600.0), st.floats(600.0, 1e6))
def test_interval_minimises_the_expected_time(delta, mtbf):
    time_per_work = lambda tau: np.expm1((tau + delta) / mtbf) / tau  # noqa: E731
    best = minimize_scalar(
        time_per_work, bounds=(1e-3 * mtbf, 5 * mtbf), method="bounded", options={"xatol": 1e-6}
    )
    assert time_per_work(float(interval_daly(delta, mtbf))) <= best.fun * (1 + 1e-9)


def test_interval_agrees_with_the_printed_series_of_daly():
    # sqrt(2 delta M) (1 + sqrt(delta / 2M) / 3 + delta / 18M) - delta for delta = 300 s, M = 6 h (Daly 2006):
    # 3,600 x (1 + 0.08333 / 3 + 0.006944 / 9) - 300 = 3,402.8 s.
    assert float(interval_daly(300.0, 6 * HOUR)) == pytest.approx(3_402.8, rel=1e-3)
    assert float(interval_daly(0.01, 1e6)) == pytest.approx(float(interval_young(0.01, 1e6)), rel=1e-3)


def test_no_failures_need_one_checkpoint_at_the_end():
    assert float(checkpoint_interval(replace(PLAN, failure_rate=0.0), 16_384.0)) == 40 * DAY


def test_checkpoint_time_by_hand():
    # 671 G parameters x 14 byte = 9.4 TB from 2,048 chips at 100 MB/s each: 45.9 s.
    assert checkpoint_time(671e9 * 14, 1e8, 2048.0) == pytest.approx(45.87, abs=0.01)


# --- published logs
# ----------------------------------------------------------------------------------------------


def test_mean_time_between_failures_of_research_clusters():
    # arXiv:2410.21680: 6.50 failures per 1,000 node-days of 8 chips give 1.8 h at 16,384 chips, 0.23 h at
    # 131,072.
    rate = 6.5 / 1000 / DAY / 8
    assert 1 / (rate * 16_384) / HOUR == pytest.approx(1.8, abs=0.05)
    assert 1 / (rate * 131_072) / HOUR == pytest.approx(0.23, abs=0.01)


def test_llama_3_trained_more_than_nine_tenths_of_the_time():
    # 54 days of calendar with > 90 % effective training time and 466 stops in all, 47 of them planned.
    # Restart (8 min) and blocking checkpoint (8 s) are ours; planned stops: 47 x 15 min = 0.9 % of 54 days.
    plan = replace(PLAN, work_s=0.905 * 54 * DAY, planned_downtime=0.009)
    result = goodput(plan)
    assert float(result.share) > 0.90
    assert float(result.wall_s) == pytest.approx(54 * DAY, rel=0.02)
    assert float(result.stops) == pytest.approx(419, rel=0.03)


def test_bloom_lost_about_a_tenth():
    # arXiv:2211.05100: 384 A100 and 1 to 2 failures a week, checkpoint every 3 h (40 s), 118 days of calendar
    # for 105.7 days of steps at full batch: 0.89, batch ramp, software stops and slow restarts included.
    # Hardware alone, 1.5 a week with 1.5 h of restart: above that bound, below one.
    plan = CampaignPlan(
        work_s=105.7 * DAY,
        chips=384.0,
        failure_rate=1.5 / 7 / DAY / 384,
        restart_s=1.5 * HOUR,
        checkpoint_s=40.0,
        checkpoint_every_s=3 * HOUR,
    )
    assert 0.89 < float(goodput(plan).share) < 0.985


def test_opt_restarted_as_often_as_its_logbook():
    # OPT-175B chronicles: about 2 of 124 machines lost a day; 33 days of failure-free work took about two
    # months.
    plan = CampaignPlan(
        work_s=33 * DAY, chips=992.0, failure_rate=2 / DAY / 992, restart_s=3 * HOUR, checkpoint_s=60.0,
        checkpoint_every_s=2 * HOUR,
    )  # fmt: skip
    result = goodput(plan)
    assert 66 < float(result.stops) < 110  # "about 90 restarts"
    assert 0.5 < float(result.share) < 0.8


# --- events against the closed form
# ------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.floats(60.0, 1e5), st.floats(0.0, 300.0), st.floats(0.0, 0.2))
def test_without_failures_both_are_the_same_number(cycles, every, delta, planned):
    plan = CampaignPlan(
        work_s=cycles * every,
        chips=64.0,
        checkpoint_s=delta,
        checkpoint_every_s=every,
        planned_downtime=planned,
    )
    expected = cycles * (every + delta) / (1 - planned)
    assert float(goodput(plan).wall_s) == pytest.approx(expected, rel=1e-12)
    assert simulate(plan, rng()).wall_s == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"checkpoint_every_s": 2 * HOUR, "restart_s": HOUR},  # losses as large as the work
        {"planned_downtime": 0.05},
        {"spares": 0.004, "repair_s": DAY},  # 8 spare servers against 7.8 in repair on average
        {"spares": 0.004, "repair_s": DAY, "causes": (Cause("chip", 0.5), Cause("software", 0.5, 0.0))},
        {"checkpoint_every_s": HOUR, "write_s": 0.6 * HOUR},  # stops often strike before a write is complete
        {"checkpoint_every_s": 2 * HOUR, "restart_s": HOUR, "write_s": HOUR, "work_s": 10 * DAY},
        {"restart_s": HOUR, "swap_share": 0.7, "swap_s": 120.0},
        {"straggler_rate": 1.0 / (16_384 * DAY), "straggler_s": 4 * HOUR, "straggler_loss": 0.3},
        {"power_w": 2e7, "stopped_power_w": 5e6, "planned_downtime": 0.1},
        {"deliveries": ((0.0, 0.25), (10 * DAY, 0.5), (20 * DAY, 1.0))},
    ],
)
def test_mean_of_many_runs_is_the_closed_form(changes):
    plan = replace(PLAN, **changes)
    expected = goodput(plan)
    runs = simulate_many(plan, rng(7), 60)
    for name in ("wall_s", "stops", "energy_j"):
        values = np.array([getattr(run, name) for run in runs])
        # Spares start full and stragglers interrupt cycles: half a per cent on top of the error of the mean.
        allowed = 4 * values.std(ddof=1) / np.sqrt(len(values)) + 0.005 * values.mean()
        assert abs(values.mean() - float(getattr(expected, name))) <= allowed
    for cause in LOSSES:
        values = np.array([run.losses[cause] for run in runs])
        allowed = 4 * values.std(ddof=1) / np.sqrt(len(values)) + 0.003
        assert abs(values.mean() - float(expected.losses[cause])) <= allowed, cause


def test_a_stop_during_a_write_goes_back_one_checkpoint_more():
    # One part of work tau with copy time zero and a write of w: until the write is complete the run goes back to the
    # start, so the run ends when tau + w have passed without a stop: M exp(R / M) (exp((tau + w) / M) - 1).
    tau, w, restart, mean = 3_000.0, 2_000.0, 500.0, 4_000.0
    plan = CampaignPlan(
        work_s=tau, chips=1.0, failure_rate=1 / mean, restart_s=restart, write_s=w, checkpoint_every_s=tau
    )
    expected = mean * np.exp(restart / mean) * np.expm1((tau + w) / mean)
    assert float(goodput(plan).wall_s) == pytest.approx(expected, rel=1e-12)
    played = [run.wall_s for run in simulate_many(plan, rng(3), 4_000)]
    assert np.mean(played) == pytest.approx(expected, abs=4 * np.std(played) / np.sqrt(len(played)))


def test_asynchronous_beats_blocking_and_waits_for_the_last_write():
    blocking, background = replace(PLAN, checkpoint_s=60.0), replace(PLAN, checkpoint_s=2.0, write_s=60.0)
    assert goodput(background).share > goodput(blocking).share
    quiet = replace(background, failure_rate=0.0)
    assert float(goodput(quiet).wall_s) == pytest.approx(40 * DAY + 62.0)
    assert simulate(quiet, rng()).wall_s == pytest.approx(40 * DAY + 62.0)
    assert float(checkpoint_interval(replace(PLAN, checkpoint_s=0.0, write_s=900.0), 16_384.0)) >= 899.0


def test_hot_swap_shortens_the_restart_of_exchanged_servers_alone():
    # A hundred stops in expectation at little loss: restarts cost 30 x 1,000 s + 70 x 100 s = 37,000 s.
    causes = (Cause("chip", 0.7, 1.0), Cause("software", 0.3, 0.0))
    plan = CampaignPlan(
        work_s=1e8, chips=1.0, failure_rate=1e-6, restart_s=1_000.0, swap_share=1.0, swap_s=100.0, causes=causes,
        checkpoint_every_s=1.0,
    )  # fmt: skip
    result = goodput(plan)
    assert float(result.losses["restarts"] * result.wall_s) == pytest.approx(37_000.0, rel=1e-2)
    assert float(result.causes["chip"]) == pytest.approx(70.0, rel=1e-2)


def test_stops_by_cause_follow_the_table_of_llama_3():
    # arXiv:2407.21783, table 5: of 419 stops 268 by the GPU, 72 of them by its HBM; 63 by software.
    causes = (
        Cause("chip", 196 / 419),
        Cause("memory", 72 / 419),
        Cause("other", 88 / 419),
        Cause("software", 63 / 419, 0.0),
    )
    plan = replace(PLAN, work_s=0.905 * 54 * DAY, planned_downtime=0.009, causes=causes)
    runs = simulate_many(plan, rng(2), 40)
    for name, count in (("chip", 196), ("memory", 72), ("software", 63)):
        mean = float(np.mean([run.causes[name] for run in runs]))
        assert mean == pytest.approx(float(goodput(plan).causes[name]), abs=4 * np.sqrt(count / 40))
        assert mean == pytest.approx(count, rel=0.10)
    with pytest.raises(ValueError, match="add up to 1"):
        replace(plan, causes=(Cause("chip", 0.5),))


def test_waiting_share_is_erlang_b():
    # Two spares: the run stops at three in repair. Load 1: B = (1/3!) / (1 + 1 + 1/2 + 1/6) = 0.0625.
    plan = CampaignPlan(
        work_s=1.0, chips=800.0, failure_rate=1 / 800 / DAY, repair_s=DAY, spares=0.02, node_chips=8.0
    )
    assert float(waiting_share(plan, 800.0)) == pytest.approx(0.0625)


# --- bookkeeping
# -------------------------------------------------------------------------------------------------


@given(
    rate=st.just(0.0) | st.floats(1e-20, 3e-11),
    restart=st.floats(0.0, 3600.0),
    delta=st.floats(0.0, 100.0),
    planned=st.floats(0.0, 0.3),
)
def test_shares_add_up_and_failures_never_help(rate, restart, delta, planned):
    plan = replace(PLAN, failure_rate=rate, restart_s=restart, checkpoint_s=delta, planned_downtime=planned)
    result = goodput(plan)
    assert float(result.share) + sum(map(float, result.losses.values())) == pytest.approx(1.0)
    assert float(goodput(replace(plan, failure_rate=rate * 1.5)).share) <= float(result.share) + 1e-9


def test_draws_give_the_same_as_one_by_one():
    draws = replace(
        PLAN, failure_rate=LLAMA_RATE * np.array([0.0, 0.5, 2.0]), checkpoint_s=np.array([1.0, 5.0, 20.0])
    )
    together = goodput(draws)
    for i in range(3):
        assert float(goodput(draws.at(i)).wall_s) == pytest.approx(np.asarray(together.wall_s)[i], rel=1e-12)
    with pytest.raises(TypeError, match="one draw at a time"):
        simulate(draws, rng())


def test_counts_on_leading_axes_and_draws_on_the_last():
    counts = np.array([[8_192.0], [16_384.0]])
    plan = replace(PLAN, chips=counts, restart_s=np.array([300.0, 600.0, 900.0]), spares=0.002, repair_s=DAY)
    wall_s = np.asarray(goodput(plan).wall_s)
    assert wall_s.shape == (2, 3)
    assert float(goodput(plan.at(1, 2)).wall_s) == pytest.approx(wall_s[1, 2], rel=1e-12)
    assert simulate(plan.at(1, 2), rng()).stops > 0


def test_losses_of_one_run_add_up_and_the_log_tells_the_story():
    plan = replace(PLAN, spares=0.003, repair_s=DAY, planned_downtime=0.02, power_w=2e7, stopped_power_w=2e7)
    run = simulate(plan, rng(3))
    assert run.share + sum(run.losses.values()) == pytest.approx(1.0)
    assert run.energy_j == pytest.approx(2e7 * run.wall_s)
    kinds = [event.kind for event in run.events]
    assert (kinds[0], kinds[-1]) == ("start", "end")
    assert kinds.count("failure") == run.stops
    assert {"wait", "resume", "planned"} <= set(kinds)
    times = [event.time_s for event in run.events]
    assert times == sorted(times)


def test_same_seed_same_run_and_quantiles_ascend():
    assert simulate(PLAN, rng(5)) == simulate(PLAN, rng(5))
    bands = spread(simulate_many(PLAN, rng(5), 20), (0.05, 0.5, 0.95))
    assert (np.diff(bands["wall_s"]) > 0).all()
    assert (np.diff(bands["share"]) > 0).all()


def test_late_chips_cost_exactly_their_absence():
    # Half of the chips for 10 days, then all: 40 days of work take 5 days of full-speed work off, then 35
    # days: 45 days.
    plan = CampaignPlan(
        work_s=40 * DAY, chips=64.0, deliveries=((0.0, 0.5), (10 * DAY, 1.0)), checkpoint_every_s=DAY
    )
    assert float(goodput(plan).wall_s) == pytest.approx(45 * DAY)
    assert simulate(plan, rng()).wall_s == pytest.approx(45 * DAY)
    with pytest.raises(ValueError, match="ascend in time"):
        replace(plan, deliveries=((DAY, 1.0), (0.0, 0.5)))


def test_a_run_that_never_ends_is_refused():
    with pytest.raises(ValueError, match="would not end"):
        simulate(replace(PLAN, failure_rate=LLAMA_RATE * 1e4), rng())
