"""A whole report with INVENTED numbers: realistic in form and size, true in nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import date, timedelta

from sim.report.content import (
    ClusterContent,
    Convergence,
    Course,
    Curve,
    Driver,
    EqualCell,
    EqualRow,
    ExactRow,
    InputRow,
    Interval,
    JobContent,
    JobSide,
    Origin,
    PaperMetric,
    ReportContent,
    RunIdentity,
    Sensitivity,
    ValidationGroup,
    ValidationRecord,
    ValidationRow,
)
from sim.report.numbers import with_interval

VIEWS = ("rental", "acquisition", "amortised")
BLOCKS = ("chips", "server", "network", "facility", "power", "staff", "capital")
TRAINING_TERMS = {
    "expert GEMM": 0.27,
    "other GEMM": 0.19,
    "attention core": 0.11,
    "expert all-to-all, exposed": 0.12,
    "pipeline bubble": 0.10,
    "elementwise": 0.08,
    "layer overhead": 0.05,
    "stragglers": 0.04,
    "gradients, exposed": 0.025,
    "optimizer": 0.015,
}
SERVING_TERMS = {
    "expert weights": 0.24,
    "attention over the cache": 0.22,
    "dispatch and combine": 0.19,
    "projections": 0.14,
    "layer overhead": 0.11,
    "sampling and host": 0.06,
    "drafting": 0.04,
}
SOURCES = (
    (
        "Serving DeepSeek on CloudMatrix 384, technical report",
        "tech_report",
        "https://arxiv.org/abs/2506.12708",
    ),
    ("NVIDIA H100 Tensor Core GPU datasheet", "official", "https://www.nvidia.com/en-us/data-center/h100/"),
    ("Analyst note on Chinese accelerator supply", "analyst", "https://example.org/analyst-note"),
    ("Trade press on grey-market prices", "press", "https://example.org/press"),
    ("Public kernel table, measured", "measured", "https://example.org/kernels"),
    ("No published source: wide range on purpose", "assumed", ""),
)
NAMES = (
    ("{a}: dense BF16 peak", "752 TFLOP/s", "620 TFLOP/s", "781 TFLOP/s", "flips at 741 TFLOP/s"),
    ("{a}: GEMM efficiency, BF16", "0.70", "0.55", "0.80", "flips at 0.74"),
    ("{a}: memory bandwidth", "3.20 TB/s", "3.00 TB/s", "3.35 TB/s", "does not flip within its range"),
    ("{b}: GEMM efficiency, FP8", "0.68", "0.58", "0.76", "flips at 0.61"),
    ("{a}: end-to-end factor, training", "0.90", "0.70", "1.10", "flips at 0.97"),
    ("{a}: exchange efficiency, supernode", "0.60", "0.45", "0.72", "does not flip within its range"),
    ("Busiest expert rank over the mean", "1.15", "1.05", "1.35", "does not flip within its range"),
    ("{a}: interruptions per chip and year", "0.40", "0.15", "0.90", "does not flip within its range"),
    ("{b}: dispatch and combine floor", "45 µs", "30 µs", "70 µs", "does not flip within its range"),
    ("{a}: layer overhead, decode", "14 µs", "8 µs", "24 µs", "flips at 9.5 µs"),
    ("Share of all-to-all left visible", "0.30", "0.15", "0.50", "does not flip within its range"),
    ("{b}: usable memory for the cache", "0.88", "0.80", "0.93", "does not flip within its range"),
)


def spread(median: float, factor: float = 1.3) -> Interval:
    """A lognormal interval of which `factor` is the 95th percentile over the median."""
    z = math.log(factor) / 1.645
    return Interval(*(median * math.exp(z * q) for q in (-1.645, -0.674, 0.0, 0.674, 1.645)))


def one_f_one_b(
    stages: int, batches: int, forward: float, backward: float
) -> list[tuple[int, float, float, str]]:
    """A 1F1B timeline by its dependencies, so that the thumbnail looks like one."""
    done: dict[tuple[str, int, int], float] = {}
    order = []
    for stage in range(stages):
        warm = min(stages - stage, batches)
        plan = [("F", m) for m in range(warm)]
        for m in range(batches):
            plan.append(("B", m))
            if m + warm < batches:
                plan.append(("F", m + warm))
        order.append(plan)
    free, position, rows = [0.0] * stages, [0] * stages, []
    while any(position[s] < len(order[s]) for s in range(stages)):
        for s in range(stages):
            while position[s] < len(order[s]):
                kind, m = order[s][position[s]]
                before = (kind, s - 1, m) if kind == "F" else (kind, s + 1, m)
                first = s == 0 if kind == "F" else s == stages - 1
                need = (
                    done.get(("F", s, m)) if first and kind == "B" else (0.0 if first else done.get(before))
                )
                if need is None:
                    break
                start = max(free[s], need)
                end = start + (forward if kind == "F" else backward)
                done[kind, s, m] = free[s] = end
                rows.append((s, start, end, kind))
                position[s] += 1
    return rows


def shares(terms: dict[str, float], total: float, random_: random.Random) -> dict[str, float]:
    weights = {name: share * random_.uniform(0.6, 1.5) for name, share in terms.items()}
    return {name: total * weight / sum(weights.values()) for name, weight in weights.items()}


def costs(base: float, random_: random.Random) -> tuple[dict[str, Interval], dict[str, dict[str, float]]]:
    totals = {"rental": 1.25 * base, "acquisition": 0.8 * base, "amortised": base}
    blocks = {"rental": {"rent": totals["rental"]}}
    mix = dict(zip(BLOCKS, (0.42, 0.16, 0.08, 0.07, 0.11, 0.05, 0.11), strict=True))
    blocks["amortised"] = shares(mix, totals["amortised"], random_)
    cash = {name: mix[name] for name in ("chips", "server", "network", "facility")}
    blocks["acquisition"] = shares(cash, totals["acquisition"], random_)
    return {view: spread(total, 1.45) for view, total in totals.items()}, blocks


def waterfall(low: float, high: float, a: str, b: str) -> list[tuple[str, float]]:
    gap = high - low
    causes = {"chip price": -1.1, "server and network": 0.25, "throughput per chip": 1.6, "power": 0.45,
              "utilisation": 0.10, "failures": 0.08, "capital": -0.38}  # fmt: skip
    return [(b, low), *((name, gap * share) for name, share in causes.items()), (a, high)]


def training_side(days: float, chips: int, power: float, cost: float, seed: int, schedule: str) -> JobSide:
    random_ = random.Random(seed)
    tokens_per_s = 14.8e12 / (days * 86400)
    price, blocks = costs(cost, random_)
    step = 63e6 / tokens_per_s * 0.93
    start = date(2026, 12, 1)
    ends = [(start + timedelta(days=round(days * f))).isoformat() for f in (0.8, 1.0, 1.27)]
    return JobSide(
        throughput=spread(tokens_per_s, 1.27),
        throughput_per_chip=spread(tokens_per_s / chips, 1.27),
        layout=schedule,
        layout_reason="best of 1,204 that fit; 3,410 refused: 2,911 memory, 499 divisibility",
        breakdown=shares(TRAINING_TERMS, step, random_),
        power_mw=spread(power, 1.12),
        energy=spread(power * days * 24 / 1000, 1.25),
        cost=price,
        cost_blocks=blocks,
        mfu=spread(0.34, 1.25),
        wall_days=spread(days, 1.27),
        end_date=(ends[0], ends[1], ends[2]),
        goodput=Interval(0.88, 0.92, 0.94, 0.955, 0.97),
        stops=41.0 * days / 30,
        step_time_s=spread(step, 1.25),
        token_cost={view: spread(total.p50 / 14.8e6, 1.45) for view, total in price.items()},
        timeline=one_f_one_b(16, 32, step / 160, step / 80),
        wall_days_samples=[days * math.exp(random_.gauss(0.0, 0.145)) for _ in range(1000)],
        wall_days_chance=spread(days, 1.01),
        losses={"restarts": 0.04, "repeated": 0.012, "planned": 0.01, "checkpoints": 0.001, "waiting": 0.0},
        stop_causes={"chip": 19.0 * days / 30, "memory": 7.0 * days / 30, "software": 6.0 * days / 30},
    )


def serving_side(per_chip: float, chips: int, power: float, cost: float, seed: int, tpot: float) -> JobSide:
    random_ = random.Random(seed)
    price, blocks = costs(cost, random_)
    inputs, _ = costs(cost / 6, random_)
    step = tpot * 1.7
    frontier = [
        (u, per_chip * 1.9 / (1 + (u / (0.8 / tpot)) ** 1.6)) for u in (6, 10, 15, 20, 25, 30, 40, 50, 65, 80)
    ]
    at = (1 / tpot, per_chip * 1.9 / (1 + (1 / 0.8) ** 1.6))
    return JobSide(
        throughput=spread(per_chip * chips, 1.35),
        throughput_per_chip=spread(per_chip, 1.35),
        layout="prefill 32 chips (TP 4, EP 32) x 10, decode 320 chips (EP 320, DP attention) x 40",
        layout_reason="best of 212 unit shapes that fit; 88 refused: 61 memory, 27 latency target",
        breakdown=shares(SERVING_TERMS, step, random_),
        power_mw=spread(power, 1.15),
        energy=spread(power * 1e3 / 3600 / (per_chip * chips) * 1e6, 1.3),
        cost=price,
        cost_blocks=blocks,
        input_cost=inputs,
        ttft_s=spread(1.4, 1.5),
        tpot_s=spread(tpot, 1.3),
        batch_per_chip=spread(46, 1.4),
        limits={
            "prefill": "matrix units",
            "decode": "memory bandwidth over the cache",
            "transfer": "not limiting",
        },
        utilisation={
            "matrix units": random_.uniform(0.15, 0.35),
            "memory bandwidth": random_.uniform(0.5, 0.75),
            "network": random_.uniform(0.2, 0.5),
            "memory capacity": random_.uniform(0.8, 0.92),
        },
        verdict="Holds its targets up to 93 % of the stated load in the event engine; queues grow beyond.",
        frontier=frontier,
        operating_point=at,
    )


def job(identifier: str, label: str, kind: str, equal: float, seed: int, a: str, b: str) -> JobContent:
    ratio = equal / 12_000
    if kind == "training":
        days = 29.0 * (2.4 if "V4" in label else 1.0)
        side_a = training_side(
            days / ratio,
            20_000,
            41.0,
            31e6 / ratio * 1.1,
            seed,
            "TP 1, PP 16, EP 64, DP 78, interleaved x2, selective recompute",
        )
        side_b = training_side(
            days, 12_000, 17.5, 27e6, seed + 1, "TP 1, PP 16, EP 64, DP 46, DualPipe, selective recompute"
        )
        unit, low, high = "million USD per run", 27.0, 31 / ratio * 1.1
        text = "671B parameters, 37B active; 14.8T tokens at 4,096, 63M tokens per step, FP8 where the chip runs it."
    else:
        per_chip = {"chat": 620.0, "reasoning": 410.0, "agent": 300.0}[identifier.split("-")[0]]
        side_a = serving_side(per_chip * ratio * 0.6, 20_000, 38.0, 1.9 / ratio, seed, 0.045)
        side_b = serving_side(per_chip, 12_000, 15.5, 1.55, seed + 1, 0.042)
        unit, low, high = "USD per million output tokens", 1.55, 1.9 / ratio
        text = (
            "Median 1,200 tokens in and 380 out, half of the input found in the prefix cache; "
            "first token within 2 s and 50 ms per token for nine requests in ten."
        )
    return JobContent(
        id=identifier,
        label=label,
        kind="training" if kind == "training" else "serving",
        description=text,
        a=side_a,
        b=side_b,
        equal_count=spread(equal, 1.3),
        equal_count_rounded=8 * math.ceil(equal / 8),
        speed_ratio=spread(ratio, 1.3),
        gap=waterfall(low, high, a, b),
        gap_unit=unit,
        targets=None if kind == "training" else {"ttft_s": 2.0, "tpot_s": 0.05},
        from_events=[("step time [s]", 5.12, 5.21), ("goodput", 0.941, 0.936)]
        if kind == "training"
        else [("output tokens/s per unit", 143_000.0, 138_600.0), ("TPOT, 90th percentile [ms]", 41.0, 43.4)],
        warnings=["FP8 training on this chip family is outside the validated range."]
        if "V4" in label
        else [],
        origin=Origin(1000, 4 if kind == "training" else 1, -0.012),
    )


def sensitivity(job_: JobContent, seed: int, a: str, b: str) -> Sensitivity:
    random_ = random.Random(seed)
    median = job_.equal_count.p50
    drivers = []
    for rank, (name, _, low, high, flips) in enumerate(random_.sample(NAMES, 10)):
        swing = 0.22 * 0.74**rank
        sign = random_.choice((-1, 1))
        source, kind, _ = random_.choice(SOURCES)
        drivers.append(
            Driver(
                name=name.format(a=a, b=b),
                path=f"chip#{name}",
                at_low=median * (1 - sign * swing * random_.uniform(0.6, 1.2)),
                at_high=median * (1 + sign * swing * random_.uniform(0.6, 1.2)),
                total_index=0.42 * 0.62**rank,
                first_index=0.36 * 0.6**rank,
                rank_correlation=sign * 0.65 * 0.75**rank,
                input_low=low,
                input_high=high,
                flips_at=flips if rank < 4 else "does not flip within its range",
                source=source,
                kind=kind,
            )
        )
    return Sensitivity(job_.id, job_.label, median, drivers)


def record(kind: str, seed: int) -> ValidationRecord:
    random_ = random.Random(seed)
    families = {"hopper": 41, "ascend-910": 14, "blackwell": 12, "ampere": 9, "h20": 8, "cdna3": 7, "tpu": 5}
    points = []
    for family, count in families.items():
        for i in range(count):
            measured = 10 ** random_.uniform(1.8, 3.9)
            points.append(
                (f"{family}-{i + 1}", family, measured, measured * math.exp(random_.gauss(0.0, 0.17)))
            )
    names = ("all", "hopper", "ascend-910", "blackwell", "ampere", "h20", "MoE", "dense", "fp8", "bf16")
    groups = [
        ValidationGroup(n, random_.randint(8, 60) if n != "all" else len(points), random_.uniform(0.08, 0.16),
                        random_.uniform(0.25, 0.42), random_.uniform(-0.06, 0.06), random_.uniform(0.7, 0.9))
        for n in names
    ]  # fmt: skip
    baselines = [
        ValidationGroup("one constant for all", len(points), 0.38, 0.81, -0.11, 0.0),
        ValidationGroup("one constant per family and precision", len(points), 0.22, 0.55, 0.02, 0.0),
    ]
    worst = [
        ("tpu-2: dense 128B on 4,096 chips", 0.61, "rematerialisation policy not published"),
        ("cdna3-5: MoE 47B on 64 chips", -0.44, "early software, before fused expert kernels"),
        ("ampere-1: dense 530B", 0.39, "older framework than the one modelled"),
        ("h20-4: decode, batch 4", -0.33, "launch overhead of an engine without graphs"),
        ("hopper-17: long prompts", 0.29, "the published number includes queueing"),
    ]
    note = "Held-out rows only; 31 rows used for calibration are not counted."
    rows = [
        ValidationRow(case, f"{family}, FP8, MoE", "tokens/s/chip", measured, said, 0.8 * said, 1.25 * said)
        for case, family, measured, said in points
    ]
    independent = ValidationGroup("independent", 12, 0.14, 0.31, -0.05, 0.75) if kind == "serving" else None
    return ValidationRecord(kind, points, groups, baselines, worst, note, rows, independent)


def input_rows(a: str, b: str, count: int = 60) -> list[InputRow]:
    random_ = random.Random(5)
    rows = []
    for i in range(count):
        name, value, low, high, _ = NAMES[i % len(NAMES)]
        source, kind, url = SOURCES[random_.randrange(len(SOURCES))]
        suffix = "" if i < len(NAMES) else f", case {i // len(NAMES) + 1}"
        rows.append(
            InputRow(
                name=name.format(a=a, b=b) + suffix,
                path=f"chips/ascend-910c#field_{i}",
                value=value, low=low, high=high, kind=kind, source=source, url=url,
                as_of=f"2026-{1 + i % 9:02d}", weak=kind in ("analyst", "press", "assumed"), moves=0.24 * 0.95**i,
                note="72 to 78 % in three public tables; the range spans them" if i % 2 else "",
                of="Chat on V3", moves_other=0.4 * 0.93**i, other=f"cost on {b}, Chat on V3",
            )
        )  # fmt: skip
    return rows


def exact_rows(a: str, b: str) -> list[ExactRow]:
    """Two numbers without a range, one of them weak."""
    return [
        ExactRow(f"{b}: dense peak BF16", "chips/h100-sxm#compute.matrix.bf16", "989 TFLOP/s", "official", SOURCES[1][0],
                 SOURCES[1][2], "2024-03", False, 0.038, "count, Pre-train DeepSeek-V3"),
        ExactRow(f"{a}: power limit", "chips/ascend-910c#power.tdp", "900 W", "assumed", SOURCES[5][0], "", "2026-11",
                 True, -0.05, f"power on {a}, Pre-train DeepSeek-V3"),
    ]  # fmt: skip


JOBS: Sequence[tuple[str, str, str, float]] = (
    ("train-v3", "Pre-train DeepSeek-V3", "training", 9_940),
    ("train-v4-pro", "Pre-train DeepSeek-V4-Pro", "training", 8_350),
    ("chat-v3", "Chat on V3", "serving", 13_900),
    ("reasoning-v3", "Reasoning on V3", "serving", 15_600),
    ("agent-v3", "Coding agent on V3", "serving", 12_700),
    ("chat-v4-pro", "Chat on V4-Pro", "serving", 11_300),
    ("reasoning-v4-pro", "Reasoning on V4-Pro", "serving", 12_100),
    ("agent-v4-pro", "Coding agent on V4-Pro", "serving", 10_400),
)


def convergence(made: list[JobContent]) -> Convergence:
    """Errors that fall as the root of the draws."""
    nan = float("nan")

    def row(n: int, job: JobContent, wide: float) -> tuple[int, float, float, float, float, float, float]:
        count = job.equal_count
        error = wide * count.p50 / n**0.5 if n > 100 else nan
        return n, count.p05, count.p50, count.p95, error, error, error

    return Convergence(
        [
            Course(job.id, job.label, [row(n, job, 1.0 + 0.2 * i) for n in (62, 125, 250, 500, 1000)])
            for i, job in enumerate(made)
        ]
    )


def curve(job: JobContent, along: str) -> Curve:
    """A line that rises with the input and one that stays."""
    return Curve(
        job.id,
        job.label,
        f"Ascend 910C: {along} in training",
        f"chips/ascend-910c#{along.replace(' ', '.')}",
        "kUSD" if along == "price" else "",
        [1.0, 2.0, 3.0],
        [spread(6_000 * x, 1.3) for x in (1.0, 1.5, 2.0)],
        [spread(15_000, 1.3)] * 3,
        (None, 3.0, 2.0),
        (None, None, None),
        64,
    )


def equal_rows(made: list[JobContent]) -> list[EqualRow]:
    """A basis of each kind, one without a number, and all bases of the jobs."""
    none = EqualCell("dense FP8", None, float("nan"), "Ascend 910C has no matrix arithmetic in FP8")
    rows = [
        EqualRow("paper", "TPP", [EqualCell("TPP", spread(15_200, 1.05), 1.0)]),
        EqualRow("paper", "dense FP8", [none]),
        EqualRow("money", "purchase price", [EqualCell("purchase price", spread(14_000, 1.3), 0.8)]),
    ]
    bases = ("same work per time", "same last day", "same money per time", "same power")
    for job in made:
        cells = [
            EqualCell(name, spread(job.equal_count.p50 * (1 + 0.2 * i), 1.3), 0.3 + 0.1 * i)
            for i, name in enumerate(bases)
        ]
        rows.append(EqualRow(job.kind, job.label, cells, job.id))
    return rows


def example(
    a: str = "Ascend 910C", b: str = "H100", jobs: Sequence[tuple[str, str, str, float]] = JOBS
) -> ReportContent:
    """The flagship report in form; every number in it is invented."""
    made = [job(i, label, kind, equal, 10 + 2 * n, a, b) for n, (i, label, kind, equal) in enumerate(jobs)]
    answers = []
    for kind, lead in (("training", "For pre-training"), ("serving", "For serving")):
        of_kind = [j for j in made if j.kind == kind]
        if of_kind:
            first = of_kind[0]
            answers.append(
                f"{lead} ({first.label}), 20,000 {a} do the work of {with_interval(first.equal_count, b)}."
            )
    return ReportContent(
        title=f"20,000 {a} or 12,000 {b}? (example, invented numbers)",
        slogan=f"20,000 {a} do the work of 12,000 {b}",
        answers=answers,
        clusters=(
            ClusterContent("a", a, 20_000, "CloudMatrix 384", "China", spread(41.0, 1.1), spread(6.1e8, 1.3), "ascend-910"),
            ClusterContent("b", b, 12_000, "HGX H100", "United States", spread(17.5, 1.1), spread(5.2e8, 1.2), "hopper"),
        ),
        jobs=made,
        paper_metrics=[
            PaperMetric("TPP", 15_200.0),
            PaperMetric("dense BF16", 15_800.0),
            PaperMetric("dense FP8", 7_600.0),
            PaperMetric("memory bandwidth", 19_100.0),
        ],
        sensitivities=[sensitivity(j, 40 + n, a, b) for n, j in enumerate(made)],
        convergence=convergence(made),
        validation=[record("training", 2), record("serving", 3)],
        not_modelled=[
            "Time to port models and kernels; both stacks are taken as tuned.",
            "Delivery dates and export licences: both clusters stand ready on the first day.",
            "Correlated outages of a whole site.",
            "Quality differences between FP8 and BF16 training.",
        ],
        inputs=input_rows(a, b),
        identity=RunIdentity(
            version="0.1.0",
            command="parity run scenarios/ascend_20k_vs_h100_12k.yaml --draws 1000 --out reports/ascend_20k_vs_h100_12k",
            seed=1, draws=1000, event_draws=3, inputs_hash="3fa9c1d2",
            files=[(f"hardware_profiles/chips/file-{n}.yaml", f"{n * 2654435761 % 2**32:08x}") for n in range(1, 25)],
            scenario="ascend_20k_vs_h100_12k",
        ),
        equals=equal_rows(made),
        exact=exact_rows(a, b),
        curves=[curve(job, along) for job in (made[0], made[-1]) for along in ("speed factor", "price")],
        slogan_count=12_000.0,
        view_notes={
            "rental": "the going rent of a chip-hour, as quoted",
            "acquisition": "cash paid for chips, servers, network and facility, over the work done in their life",
            "amortised": "ownership with cost of capital, plus energy and operations",
        },
    )  # fmt: skip
