"""Rows in worlds, with what a step model leaves out of a run: kernels launched one by one, and the end of the run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.quantity import Array
from sim.resolve import MEDIAN, World
from sim.serving.aggregated import shared_step
from sim.serving.iteration import StepTime, decode_step_time
from sim.serving.steady import Balance, aggregated_balance
from sim.study.validation.serving_cases import (
    resolve_case,
    resolve_ranks,
    serving_shape,
)
from sim.study.validation.serving_rows import Row
from sim.study.validation.serving_setting import ServingSetting


def resolve_row(setting: ServingSetting, world: World = MEDIAN) -> Row:
    """The row in a world, or with arrays of draws."""
    chip, network = resolve_ranks(setting, world)
    chosen = setting.chosen()
    row = Row(
        setting,
        setting.case,
        resolve_case(setting, world),
        chip,
        network,
        world(chosen["first_token"]),
        world(chosen["prompt_delay"]),
    )
    return launched(row, world(chosen["host_layer"]) if "host_layer" in chosen else 0.0)


def launched(row: Row, host_layer_s: Array) -> Row:
    """The row with the time that the device waits for the host in a decode step.

    Parameters
    ----------
    host_layer_s : Array
        Host time to launch the kernels of a layer [s]; 0 where a step is replayed as one graph.

    Notes
    -----
    A step takes what the slower of the two takes. What the device leaves of L layers x t, at the batch that the row will
    run, is added to the host time of a step: its mean over steps that carry prompts, which are longer, and others.
    """
    case = row.case
    if case.text("phase") == "prefill" or not case.text("d_tp") or not np.any(np.asarray(host_layer_s) > 0.0):
        return row
    shape, job = serving_shape(case), row.job
    host = job.architecture.layers * host_layer_s
    batch = np.maximum(np.minimum(_clients(row, host), row.residents(shape, row.held())), 0.01)
    kinds: list[tuple[StepTime, Array]]
    idle = row.setting.decodes_alone or case.text("load_mode") in ("fixed_batch", "single_request")
    if not idle and case.number("isl", 0.0) > 0.0:
        shared = shared_step(job, row.chip, row.network, shape, batch, job.traffic.context)
        kinds = [(shared.decode, 1.0 - shared.frequency), (shared.prompt_step, shared.frequency)]
    else:
        kinds = [
            (decode_step_time(job, row.chip, row.network, shape, batch, job.traffic.context), np.asarray(1.0))
        ]
    waits = sum(share * np.maximum(host - (step.total_s - step.terms["host"]), 0.0) for step, share in kinds)
    return replace(
        row, job=replace(job, engine=replace(job.engine, step_overhead_s=job.engine.step_overhead_s + waits))
    )


def _clients(row: Row, step_s: Array) -> Array:
    """Requests in flight per attention replica, roughly; inf where as many as fit."""
    case, shape = row.case, serving_shape(row.case)
    if case.text("load_mode") == "single_request":
        return 1.0
    total: Array = case.number("concurrency_effective", case.number("concurrency_total", np.inf))
    if case.text("batch_per_chip") and not np.isfinite(total):
        return case.number("batch_per_chip") / row.setting.ranks_per_chip * float(shape.tp)
    if case.text("request_rate_total"):
        total = np.minimum(total, case.number("request_rate_total") * row.output * step_s)
    return total / (row.instances * float(shape.dp))


def ended(row: Row, balance: Balance) -> Balance:
    """A saturated run of as many requests as were sent: whole waves of the batch that fits, and what is left of them.

    Notes
    -----
    A batch of B with lengths that hardly differ is gone after B / X(B), for X the rate at which a replica in balance
    finishes requests. R = w B + r requests take w B / X(B) + r / X(r), since the last wave is smaller and no
    faster per step than a steady state of its size.
    """
    case, shape = row.case, serving_shape(row.case)
    sent = row.setting.sent()
    if case.text("load_mode") != "saturated" or row.split or not np.isfinite(sent):
        return balance
    each = sent / (row.instances * float(shape.dp))
    batch = np.asarray(balance.batch, dtype=float)
    whole = np.floor(each / batch + 1e-9)
    rest = each - whole * batch
    small = aggregated_balance(
        row.job, row.chip, row.network, shape, np.inf, np.maximum(rest, 0.01), row.prompt_delay_s
    )
    last = np.where(rest > 0.01, rest / np.asarray(small.requests_per_s), 0.0)
    return replace(balance, requests_per_s=each / (whole * batch / balance.requests_per_s + last))
