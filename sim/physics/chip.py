"""What the physics knows of a chip: plain numbers in base units, scalars or arrays of draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64] | float
Family = Literal["gemm", "grouped_gemm", "attention_prefill", "attention_decode", "elementwise", "lookup"]
Phase = Literal["training", "prefill", "decode"]


@dataclass(frozen=True, slots=True)
class KernelCurve:
    """Efficiency of one operator family at one precision.

    Attributes
    ----------
    compute : Array
        Share of the dense matrix peak that large kernels reach (a) [1].
    bandwidth : Array
        Share of the memory bandwidth that large kernels reach (b) [1].
    overhead_s : Array
        Fixed time of one kernel (t0) [s].
    half_rows : Array
        Rows at which the compute share has risen to half of ``compute`` [rows]; 0 = no row effect.
    half_width, half_depth : Array
        The same for the columns of the result, and for the length over which products are summed [1]: tiles that a
        narrow matrix does not fill.
    half_length : Array
        The same for the length of a sequence, in the attention core [token].
    wide : Array or None
        ``compute`` far above the half widths, depth and length, for jobs that count them, where ``compute`` is that of a
        mix. None: ``compute``.
    """

    compute: Array
    bandwidth: Array
    overhead_s: Array
    half_rows: Array = 0.0
    half_width: Array = 0.0
    half_depth: Array = 0.0
    half_length: Array = 0.0
    wide: Array | None = None

    @property
    def large(self) -> Array:
        """Share of the peak far above all half sizes."""
        return self.compute if self.wide is None else self.wide

    def at_length(self, length: Array) -> Array:
        """Share of the peak that the attention core reaches on sequences of a length [1]: a s/(s + half_length)."""
        return self.large * length / (length + self.half_length)

    def narrow_flop(self, inputs: Array, outputs: Array) -> Array:
        """Arithmetic that matrix products seem to need on top of their own because they are narrow [FLOP].

        Parameters
        ----------
        inputs, outputs : Array
            Elements that enter and leave the products [1]: rows times K, rows times N.

        Notes
        -----
        Efficiency a N/(N + n) K/(K + k) is, to first order, work 2 M N K (1 + n/N + k/K): 2 (n M K + k M N) more.
        """
        return 2.0 * (self.half_width * inputs + self.half_depth * outputs)


@dataclass(frozen=True, slots=True)
class Chip:
    """One chip package.

    Attributes
    ----------
    matrix_peak : mapping of precision to Array
        Dense matrix peak [FLOP/s] of each precision the chip runs natively: fp32, tf32, fp16, bf16, fp8, int8, fp4.
    vector_peak : mapping of precision to Array
        Vector peak [FLOP/s]; may be empty.
    memory_bytes, memory_bandwidth : Array
        Capacity [byte] and peak bandwidth [byte/s] of the device memory.
    kernels : mapping of (family, precision) to KernelCurve
        Look up with :meth:`curve`, which falls back to the family's 16-bit curve.
    speed_factor : mapping of (precision, phase) to Array
        The one end-to-end factor on speed (above 1 = faster than the kernels say) [1].
    idle_power_w, busy_power_w : Array
        Chip power when idle and under sustained matrix load [W].
    attention_backward, linear_backward : Array
        Efficiency of the backward pass over that of the forward pass, attention core and GEMMs [1].
    dies : int
        Compute dies in the package.
    ranks : int
        Devices that software sees in the package: 2 where each die is addressed on its own.
    layer_overhead_s : mapping of "decode_moe", "training_dense", ... to Array
        Host, synchronisation and small-kernel time per layer that no operator carries [s]: added in decode, the floor
        of a layer's forward pass in prefill and training without graphs.
    latent_layers, grouped_prefill : Array
        Factors on it in serving: for latent or compressed attention, and for expert layers with grouped-query attention
        in prefill [1].
    expert_gather : mapping of precision to Array
        Bytes that the kernels around an expert product (gather, quantise, scatter) move per routed token and unit of hidden
        width; tensor parallelism does not divide them [byte].
    memory_activity, waiting_activity : Array
        Power above idle over that under matrix load, while memory binds and while network or launches do [1].
    """

    name: str
    matrix_peak: Mapping[str, Array]
    vector_peak: Mapping[str, Array]
    memory_bytes: Array
    memory_bandwidth: Array
    kernels: Mapping[tuple[str, str], KernelCurve]
    speed_factor: Mapping[tuple[str, str], Array]
    idle_power_w: Array
    busy_power_w: Array
    layer_overhead_s: Mapping[str, Array]
    attention_backward: Array = 1.0
    linear_backward: Array = 1.0
    dies: int = 1
    ranks: int = 1
    latent_layers: Array = 1.0
    grouped_prefill: Array = 1.0
    memory_activity: Array = 1.0
    waiting_activity: Array = 1.0
    expert_gather: Mapping[str, Array] = field(default_factory=dict)

    def curve(self, family: str, precision: str) -> KernelCurve:
        """Kernel curve of a family at a precision; the family's 16-bit curve where that precision has none."""
        for key in ((family, precision), (family, "bf16")):
            if key in self.kernels:
                return self.kernels[key]
        raise KeyError(f"{self.name} has no kernel curve for {family} in {precision}")

    def fastest(self, *candidates: str) -> str:
        """First of the precisions that the chip runs natively."""
        for precision in candidates:
            if precision in self.matrix_peak:
                return precision
        raise KeyError(f"{self.name} runs none of {', '.join(candidates)}")


def kernel_time(
    flop: Array,
    bytes_moved: Array,
    peak: Array,
    memory_bandwidth: Array,
    curve: KernelCurve,
    rows: Array | None = None,
    launches: Array = 1.0,
) -> Array:
    """Time of ``launches`` kernels that together do ``flop`` and move ``bytes_moved`` [s].

    Parameters
    ----------
    flop, bytes_moved : Array
        Work [FLOP] and memory traffic [byte], summed over the launches.
    peak, memory_bandwidth : Array
        Dense peak [FLOP/s] and bandwidth [byte/s] of the chip.
    rows : Array, optional
        Rows of the matrix product (tokens; per expert for grouped ones), for the saturating curve.

    Notes
    -----
    Roofline with fitted shares, t = max(F / (a P), Q / (b W)) + n t0, and a(rows) = a rows / (rows + half_rows).
    Fits: aiconfigurator-core 0.12.0 kernel tables (see ``hardware_profiles/kernels``).

    Examples
    --------
    >>> float(kernel_time(1e12, 0.0, 1e15, 1e12, KernelCurve(compute=0.5, bandwidth=0.8, overhead_s=0.0)))
    0.002
    """
    share = curve.compute if rows is None else curve.compute * rows / (rows + curve.half_rows)
    # Fewer rows than any kernel was measured with must not divide by zero: no rows, no work.
    busy = np.maximum(
        flop / np.maximum(share * peak, 1e-30), bytes_moved / (curve.bandwidth * memory_bandwidth)
    )
    return busy + launches * curve.overhead_s
