"""Traffic that is a recorded trace: the numbers its file leaves to the trace, measured there."""

from __future__ import annotations

from dataclasses import replace

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem, shown_path
from sim.profiles.workload import Lengths, ServingTraffic, TrainingRecipe
from sim.quantity import Quantity
from sim.serving.replay import trace_traffic
from sim.serving.traces import load_trace
from sim.serving.traffic import LengthDistribution, Trace, TraceError

TRACED = "traced"  # before the name of a number that a trace measures, so that no draw of the stated one reaches it


def with_trace(
    catalogue: Catalogue, workload: TrainingRecipe | ServingTraffic
) -> tuple[TrainingRecipe | ServingTraffic, Trace | None]:
    """The workload with lengths, burstiness and prefix reuse of its trace, if it has one, and the trace.

    Raises
    ------
    InputError
        When the trace is missing or broken; the message names file and line.
    """
    if not isinstance(workload, ServingTraffic) or workload.arrivals != "trace":
        return workload, None
    name = shown_path(catalogue.trace(workload))
    try:
        trace = load_trace(name)
    except TraceError as error:
        raise InputError([Problem(str(error))]) from None
    try:
        found = trace_traffic(trace)
    except TraceError as error:
        raise InputError([Problem(f"{name}: {error}")]) from None
    measured = {
        "input": _lengths(workload.input, found.prompt),
        "output": _lengths(workload.output, found.output),
        "burstiness": _measured(workload.burstiness, found.burstiness),
    }
    if found.prefix_hit is not None:
        measured["prefix_hit"] = _measured(workload.prefix_hit, found.prefix_hit)
    return workload.model_copy(update=measured), trace


def _lengths(stated: Lengths, found: LengthDistribution) -> Lengths:
    values = {key: float(getattr(found, key)) for key in ("median", "sigma", "maximum")}
    return stated.model_copy(
        update={key: _measured(getattr(stated, key), value) for key, value in values.items()}
    )


def _measured(stated: Quantity, value: float) -> Quantity:
    """The number as the trace has it: without a range, and not the same input as the one the file states."""
    return replace(
        stated,
        value=value,
        low=None,
        high=None,
        source="",
        kind="measured",
        note="from the trace",
        path=f"{TRACED}/{stated.path}",
    )
