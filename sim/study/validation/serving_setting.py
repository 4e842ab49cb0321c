"""A row of the serving table with everything looked up: its model, chip and system, and what its engine does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sim.profiles.catalogue import Catalogue
from sim.profiles.engines import EngineRules
from sim.profiles.hardware import ChipProfile, SystemProfile
from sim.profiles.model import ModelProfile
from sim.quantity import Quantity
from sim.study.validation.scores import CannotPredict, Case

QUANTITIES = (
    "overlap_hidden", "step_overhead", "replica_overhead", "prefill_spread", "eager_prefill", "draft_rereads", "draft_cost",
    "first_token", "prompt_delay", "grouped_speed", "engine_speed", "max_batch", "chunk", "memory_use", "buffers",
)  # fmt: skip
_MONTH = re.compile(r"\d{4}-\d{2}$")
_ARITHMETIC = {"w4a8": "int8", "int4": "bf16"}
_INSTEAD = {"int8": ("fp8",)}  # arithmetic in place of one that the chip has no units for; else 16-bit


@dataclass(frozen=True, slots=True)
class ServingSetting:
    """What a row says, with everything looked up.

    Attributes
    ----------
    speed : mapping of phase to float
        End-to-end factors in place of those in the kernel file; used to fit them.
    notes : tuple of str
        What the row left empty and how it was filled.
    """

    case: Case
    model: ModelProfile
    chip: ChipProfile
    system: SystemProfile
    rules: EngineRules
    catalogue: Catalogue
    speed: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ranks_per_chip(self) -> int:
        """Devices that the engine sees in a package."""
        return int(self.case.number("ranks_per_chip", float(self.chip.silicon.ranks)))

    @property
    def precision(self) -> str:
        """Arithmetic of the large matrix products; 16-bit where the chip has no units for the format of the weights."""
        written, runs = self._written_precision, self.chip.compute.matrix
        if self._widened:
            return "bf16"
        return next((name for name in (written, *_INSTEAD.get(written, ())) if name in runs), "bf16")

    @property
    def _widened(self) -> bool:
        """Whether weights of 4-bit floats meet 16-bit activations, whatever the table calls the arithmetic."""
        return self.case.text("weights_dtype") == "fp4" and self.chip.family in self.rules.widen_fp4

    @property
    def _written_precision(self) -> str:
        written = self.case.text("compute_dtype") or self.case.text("weights_dtype") or "bf16"
        return _ARITHMETIC.get(written, written)

    def remarks(self) -> tuple[str, ...]:
        """What a reader of the prediction must know: cells that were filled, arithmetic that was replaced."""
        found = [*self.notes]
        if not self.case.text("weights_dtype"):
            found.append(f"weights_dtype not published: {self.precision} taken")
        if self._widened and self._written_precision not in ("fp4", "bf16"):
            found.append(f"4-bit floats are widened to 16 bits on {self.chip.name}: computed in bf16")
        elif self.precision != self._written_precision:
            found.append(
                f"{self.chip.name} has no {self._written_precision} units: computed in {self.precision}"
            )
        return tuple(found)

    def rule(self, name: str, value: str) -> object:
        """What the table has for a value of its column, on this chip family."""
        table = getattr(self.rules, name)
        kind = "moe" if self.model.shape.moe is not None else "dense"
        family = self.chip.family
        plain = (
            f"{value}/{family}/{kind}",
            f"{value}/{family}",
            f"{value}/{kind}",
            value,
            f"any/{family}",
            "any",
        )
        for key in (*(f"{key}@{month}" for month in self._eras(table) for key in plain), *plain):
            if key in table:
                return table[key]
        raise CannotPredict(f'{name}: "{value}" is not one of {", ".join(table)}')

    def _eras(self, table: Mapping[str, object]) -> list[str]:
        """Months up to which entries of a table hold that are not over when the software of the row was made."""
        date = self.case.text("software_date")[:7]
        months = sorted({key.partition("@")[2] for key in table if "@" in key})
        return [month for month in months if _MONTH.match(date) and date <= month]

    def sent(self) -> float:
        """Requests of a run that ends; NaN where nobody says."""
        if self.case.text("n_requests"):
            return self.case.number("n_requests")
        known = self.rules.requests_sent.get(
            f"{self.case.text('engine')}/{self.case.text('source_kind')}", {}
        )
        tokens = self.case.number("isl", float("nan")) + self.case.number("osl", float("nan"))
        return next((float(count) for most, count in sorted(known.items()) if tokens <= most), float("nan"))

    @property
    def decodes_alone(self) -> bool:
        """Whether the decode steps of the row never carry prompts, as in a pool of their own."""
        case = self.case
        split = bool(case.text("p_instances") and case.text("d_instances"))
        return split or (
            case.text("phase") == "decode" and case.text("load_mode") in ("fixed_batch", "saturated")
        )

    @property
    def paced(self) -> bool:
        """Whether it matters how old the software is: mixtures of experts that decode, on families with a reference."""
        pace = self.rules.software_pace
        known = pace is not None and self.chip.family in pace.reference
        decodes = self.case.text("phase") != "prefill" and self.case.number("osl", 2.0) > 1.0
        return known and decodes and self.model.shape.moe is not None

    def years_later(self) -> float | None:
        """Years of the software after that of the calibrate runs, within the span of the data; None where it has no pace or
        no date."""
        pace, date = self.rules.software_pace, self.case.text("software_date")[:7]
        if pace is None or not self.paced or not _MONTH.match(date):
            return None
        return years_between(pace.reference[self.chip.family], min(max(date, pace.first), pace.last))

    def chosen(self) -> dict[str, Quantity]:
        """Every number of the engine table that applies to the row."""
        engine = self.case.text("engine")
        found = {name: self.rule(name, engine) for name in QUANTITIES}
        found["expert_imbalance"] = self.rule(
            "expert_imbalance", self.case.text("expert_balance") or "unknown"
        )
        found["expert_copies"] = self.rule("expert_copies", self.case.text("expert_balance") or "unknown")
        found["expert_popularity"] = self.rule(
            "expert_popularity", self.case.text("expert_balance") or "unknown"
        )
        found["length_spread"] = self.rule("length_spread", self.case.text("source_kind"))
        eager = "eager" in self.case.text("overlap")
        if self.rules.host_layer:
            found["host_layer"] = self.rule("host_layer", "eager" if eager else engine)
        if self.years_later() is not None and self.rules.software_pace is not None:
            found["software_pace"] = self.rules.software_pace.yearly
        if self.decodes_alone and engine in self.rules.pool_batch:
            found["max_batch"] = self.rule("pool_batch", engine)
        return found  # type: ignore[return-value]

    def inputs(self) -> list[Quantity]:
        """What may differ between runs of this description: engine and network, not the chip itself."""
        found = [*self.chosen().values()]
        for tier in self.system.tiers:
            found += [tier.efficiency, tier.exchange_efficiency, tier.exchange_floor, tier.latency]
        return [quantity for quantity in found if quantity.is_uncertain]


def years_between(first: str, last: str) -> float:
    """Years from one month to another, both as YYYY-MM."""
    (year, month), (later, end) = first.split("-"), last.split("-")
    return int(later) - int(year) + (int(end) - int(month)) / 12.0
