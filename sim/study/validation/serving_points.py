"""What a row of the serving table measures, computed: throughput and latency of one configuration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.quantity import Array
from sim.resolve import MEDIAN, World
from sim.serving.iteration import StepTime, decode_step_time, prefill_time
from sim.serving.job import UnitShape
from sim.serving.pools import transfer_time
from sim.serving.steady import Balance, aggregated_balance, disaggregated_balance
from sim.study.validation.scores import CannotPredict, Case
from sim.study.validation.serving_cases import prefill_shape, serving_shape
from sim.study.validation.serving_played import open_loop, played_ttft
from sim.study.validation.serving_rows import Point, Row, in_metric
from sim.study.validation.serving_runs import ended, resolve_row
from sim.study.validation.serving_setting import ServingSetting

ITERATIONS = 40  # residents of an open loop settle in fewer

PREDICTED = frozenset({
    "tokens_per_s_per_chip", "computed_tokens_per_s_per_chip", "total_tokens_per_s_per_chip", "tokens_per_s_per_user",
    "tpot_ms", "ttft_ms", "e2e_ms", "kv_transfer_ms",
})  # fmt: skip


def measure(setting: ServingSetting, world: World = MEDIAN) -> Point:
    """The number a row states, as the simulator sees it.

    Raises
    ------
    CannotPredict
        When the row lacks something, or states what the model does not give.
    """
    metric = setting.case.text("metric")
    if not metric:
        raise CannotPredict("metric is not given")
    if metric not in PREDICTED:
        raise CannotPredict(
            f"{metric} is not a result of the serving model; it gives {', '.join(sorted(PREDICTED))}"
        )
    row = resolve_row(setting, world)
    point = _of_load(row)
    return replace(point, note="; ".join(note for note in (point.note, *row.remarks()) if note))


def _of_load(row: Row) -> Point:
    """The prediction by what is measured and how the system was loaded."""
    case = row.case
    metric, phase, load = case.text("metric"), case.text("phase"), _load_of(case)
    if metric == "kv_transfer_ms":
        return _transfer(row)
    if load == "single_request":
        return _single(row, metric)
    if phase == "prefill" and metric.endswith("tokens_per_s_per_chip"):
        return _prefill_rate(row)
    if phase == "prefill" and load == "fixed_batch" and metric == "ttft_ms":
        return _prefill_batch(row)
    if phase == "decode" and load in ("fixed_batch", "saturated"):
        return _decode(row)
    if load == "fixed_batch":
        return _static(row)
    if load in ("closed_loop", "saturated"):
        return _loaded(row, metric)
    if load == "open_loop_trace":
        return _open_split(row) if row.split else open_loop(row)
    if load == "slo_max_rate":
        raise CannotPredict(
            "the largest rate within latency limits is not predicted: no column states the limits"
        )
    if load:
        raise CannotPredict(f'load_mode: "{load}" is not one of those that are modelled')
    raise CannotPredict(
        f"load_mode is not given, and no batch or concurrency tells it: {metric} of phase {phase}"
    )


def _load_of(case: Case) -> str:
    """How the system was loaded; where the row does not say, as its numbers imply."""
    written = case.text("load_mode")
    if written:
        return written
    shared = case.text("phase") == "both" or case.text("serving").lower() == "aggregated"
    if case.text("concurrency_effective") or (shared and case.text("concurrency_total")):
        return "closed_loop"
    if case.text("phase") == "decode" and case.text("batch_per_chip"):
        return "fixed_batch"
    return "open_loop_trace" if case.text("request_rate_total") else ""


def _passes(
    row: Row, shape: UnitShape, tokens: Array, prompt: float, active: float = 1.0
) -> tuple[Array, StepTime]:
    """Time to read ``tokens`` prompt tokens per replica in prompts of a length, and the last pass."""
    new = prompt * (1.0 - float(np.asarray(row.job.traffic.prefix_hit)))
    if not new > 0.0:
        raise CannotPredict("isl and cached_fraction leave no prompt token to read")
    limit = np.maximum(
        np.asarray(row.job.engine.chunk_tokens), np.where(prompt < np.asarray(tokens), tokens, 1.0)
    )
    part = np.minimum(new, limit)
    past = prompt - new + (new - part) / 2
    step = prefill_time(
        row.job, row.chip, row.network, shape, np.minimum(tokens, limit) / part, part, past, active
    )
    return step.total_s * np.maximum(tokens / limit, 1.0), step


def _prefill_rate(row: Row) -> Point:
    """Input tokens per second and chip of a pool that always has prompts."""
    case, shape = row.case, prefill_shape(row.case)
    given = case.number("prefill_tokens_per_batch", 0.0)
    tokens = given / float(shape.dp) if given else row.job.engine.chunk_tokens
    time, step = _passes(row, shape, tokens, case.number("isl"))
    rate = tokens / time / float(shape.tp) * row.setting.ranks_per_chip
    return Point(rate, step.terms)


def _prefill_batch(row: Row) -> Point:
    """First token of a batch of prompts that is read at once."""
    case, shape = row.case, prefill_shape(row.case)
    if case.text("prefill_tokens_per_batch"):
        tokens = case.number("prefill_tokens_per_batch") / float(shape.dp)
    else:
        tokens = _residents(row, shape) * case.number("isl")
    time, step = _passes(row, shape, tokens, case.number("isl"))
    return Point((time + row.first_token_s) * 1e3, step.terms)


def _residents(row: Row, shape: UnitShape) -> float:
    """Sequences of an attention replica that a row with a fixed batch states."""
    case = row.case
    if case.text("batch_per_chip"):
        return case.number("batch_per_chip") / row.setting.ranks_per_chip * float(shape.tp)
    if case.text("concurrency_total"):
        return case.number("concurrency_total") / (row.instances * float(shape.dp))
    raise CannotPredict("neither batch_per_chip nor concurrency_total is published")


def _decode(row: Row) -> Point:
    """A decode batch held constant."""
    case, shape = row.case, serving_shape(row.case)
    context = case.number("kv_len_mean", case.number("isl"))
    if case.text("batch_per_chip") or (
        case.text("load_mode") == "fixed_batch" and case.text("concurrency_total")
    ):
        batch: Array = _residents(row, shape)
        note = ""
    else:
        batch = row.residents(shape, context)
        note = row.full(shape) or f"batch not published: {np.median(batch):.0f} per rank taken"
    step = decode_step_time(row.job, row.chip, row.network, shape, batch, context)
    rate = batch * row.job.engine.accepted / step.total_s / float(shape.tp) * row.setting.ranks_per_chip
    return Point(in_metric(row, rate, step.total_s / row.job.engine.accepted, None), step.terms, note)


def _static(row: Row) -> Point:
    """A batch that is read at once and then decoded to its end, without further requests."""
    case, shape = row.case, serving_shape(row.case)
    batch = _residents(row, shape)
    time, _ = _passes(row, prefill_shape(case), batch * case.number("isl"), case.number("isl"))
    first = time + row.first_token_s
    context = case.number("kv_len_mean", case.number("isl") + row.output / 2)
    step = decode_step_time(row.job, row.chip, row.network, shape, batch, context)
    tpot = step.total_s / row.job.engine.accepted
    whole = time + (row.output - 1.0) * tpot
    rate = batch * row.instances * float(shape.dp) * row.output / whole / row.chips
    return Point(
        in_metric(row, rate, tpot, first), step.terms, f"{batch:.3g} sequences per attention replica"
    )


def _single(row: Row, metric: str) -> Point:
    """One request in an idle system."""
    case = row.case
    shape = prefill_shape(case)
    time, step = _passes(row, shape, case.number("isl"), case.number("isl"), active=1.0 / float(shape.dp))
    first = time + row.first_token_s
    if row.split:
        first = first + transfer_time(row.job, row.network, shape, case.number("isl"))
    if metric == "ttft_ms":
        return Point(first * 1e3, step.terms)
    serve = serving_shape(case)
    context = case.number("kv_len_mean", case.number("isl") + case.number("osl", 1.0) / 2)
    one = decode_step_time(row.job, row.chip, row.network, serve, 1.0, context)
    tpot = one.total_s / row.job.engine.accepted
    if metric in ("tpot_ms", "tokens_per_s_per_user"):
        return Point(in_metric(row, 0.0, tpot, first), one.terms)
    rate = row.output / (first + (row.output - 1) * tpot) / row.chips
    return Point(in_metric(row, rate, tpot, first), one.terms)


def _clients(row: Row) -> float:
    """Requests in flight over the whole deployment; inf where there are more than fit.

    Raises
    ------
    CannotPredict
        When the row does not say.
    """
    case = row.case
    if _load_of(case) == "saturated":
        return np.inf
    if (
        case.text("batch_per_chip")
        and not case.text("concurrency_total")
        and not case.text("concurrency_effective")
    ):
        return _residents(row, serving_shape(case)) * row.instances * float(serving_shape(case).dp)
    return case.number("concurrency_effective", case.number("concurrency_total"))


def _balance(row: Row) -> tuple[Balance, UnitShape]:
    shape = serving_shape(row.case)
    each = _clients(row) / (row.instances * float(shape.dp))
    limit = row.residents(shape, row.held())
    if not row.split:
        return aggregated_balance(
            row.job, row.chip, row.network, shape, each, limit, row.prompt_delay_s
        ), shape
    between, first = _reading(row)
    rate = 1.0 / (between * row.instances * float(shape.dp))
    return disaggregated_balance(row.job, row.chip, row.network, shape, each, limit, rate, first), shape


def _loaded(row: Row, metric: str) -> Point:
    """Clients who always have a request in the system, or more requests than fit."""
    balance, shape = _balance(row)
    balance = ended(row, balance)
    replicas = row.instances * float(shape.dp)
    rate = balance.requests_per_s * row.output * replicas / row.chips
    if metric in ("ttft_ms", "e2e_ms") and not row.split:
        first = played_ttft(row, balance, shape)
    else:
        first = balance.ttft_s + row.first_token_s
    note = row.full(shape) or f"{np.median(np.asarray(balance.batch)):.0f} sequences per attention replica"
    return Point(in_metric(row, rate, balance.tpot_s, first), balance.terms, note)


def _open_split(row: Row) -> Point:
    """Poisson arrivals at a prefill and a decode pool, in balance.

    Notes
    -----
    Residents of a decode replica are those that come during the time a request stays: B = x O TPOT(B), found by iteration.
    Prompts wait as in an M/D/1 queue, W = u t / (2 (1 - u)) at a load u.
    """
    case, shape = row.case, serving_shape(row.case)
    asked, replicas = case.number("request_rate_total"), row.instances * float(shape.dp)
    limit, batch = row.residents(shape, row.held()), np.asarray(1.0)
    for _ in range(ITERATIONS):
        step = decode_step_time(row.job, row.chip, row.network, shape, batch, row.job.traffic.context)
        tpot = step.total_s / row.job.engine.accepted
        batch = np.minimum(asked / replicas * row.output * tpot, limit)
    each, alone = _reading(row)
    load = asked * each
    if np.median(load) >= 1.0 or np.median(batch) >= np.median(limit):
        raise CannotPredict("more requests arrive than the pools can serve, so that waits have no mean")
    first = alone + load * each / (2.0 * (1.0 - load)) + row.first_token_s
    note = f"{np.median(batch):.0f} sequences per attention replica"
    return Point(in_metric(row, asked * row.output / row.chips, tpot, first), step.terms, note)


def _reading(row: Row) -> tuple[Array, Array]:
    """Time between prompts of the whole prefill pool, and from the start of one to its cache in the other pool [s]."""
    reader, prompt = prefill_shape(row.case), row.case.number("isl")
    chunk = row.job.engine.chunk_tokens
    time, _ = _passes(row, reader, chunk, prompt)
    each = time * prompt / chunk / (float(reader.dp) * row.case.number("p_instances"))
    alone, _ = _passes(row, reader, prompt, prompt)
    return each, alone + transfer_time(row.job, row.network, reader, prompt) + row.prompt_delay_s


def _transfer(row: Row) -> Point:
    time = transfer_time(row.job, row.network, prefill_shape(row.case), row.case.number("isl"))
    return Point(time * 1e3, {})
