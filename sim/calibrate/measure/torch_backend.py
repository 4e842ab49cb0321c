"""Kernels run by PyTorch. Nothing here is imported before a measurement starts."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sim.calibrate.measure.plan import Case
from sim.calibrate.measure.sensors import read_state
from sim.calibrate.measure.sweep import Reading, Unsupported, first_line
from sim.profiles.messages import InputError, Problem

Call = Callable[[], Any]
HINT = (
    "PyTorch is not installed in this environment, and measuring needs it: pip install 'chip-parity[measure]', "
    "or the PyTorch that your chip's vendor ships"
)
COLD = 256e6  # operands of a repeat together exceed every on-chip cache, as weights of a model do [byte]
MOST_COPIES = 512
# Of one round over all copies; kernels that need longer for so few bytes do not wait for them [s].
ROUND_S = 0.05
REPEATS = 5
REPEAT_S = {"cpu": 0.01}  # of one repeat; short kernels run many times in it [s]
DEFAULT_REPEAT_S = 0.03
LOADED_S = 0.3  # work in flight while clock and power are read [s]


def load_torch() -> Any:
    """The package, or a plain line how to get it.

    Raises
    ------
    InputError
        When it is missing.
    """
    try:
        import torch
    except ImportError:
        raise InputError([Problem(HINT)]) from None
    return torch


def _find(torch: Any, wanted: str) -> str:
    """Kind of device: as asked for, or the first there is."""
    hip = bool(getattr(torch.version, "hip", None))
    present = ["rocm" if hip else "cuda"] if torch.cuda.is_available() else []
    try:
        import torch_npu  # noqa: F401

        present += ["npu"] if torch.npu.is_available() else []
    except ImportError:
        pass
    present.append("cpu")
    if wanted and wanted not in present:
        raise InputError(
            [Problem(f"--device {wanted}: PyTorch {torch.__version__} sees only {', '.join(present)}")]
        )
    return wanted or present[0]


class TorchBackend:
    """Backend for cuda, rocm, npu and cpu."""

    def __init__(self, wanted: str = "", ranks: int = 0) -> None:
        self.torch = load_torch()
        self.kind = _find(self.torch, wanted)
        self.place = "cuda" if self.kind == "rocm" else self.kind
        self.library = None if self.kind == "cpu" else getattr(self.torch, self.place)
        self.ranks = ranks or (self.library.device_count() if self.library else 1)
        self.device = self.library.get_device_name(0) if self.library else _processor()
        runtime = getattr(self.torch.version, "hip", None) or getattr(self.torch.version, "cuda", None)
        self.software = f"PyTorch {self.torch.__version__}" + (f" runtime {runtime}" if runtime else "")

    # --- timing ------------------------------------------------------------------------------------------------

    def measure(self, case: Case) -> Reading:
        """Median time of a kernel whose operands are not in cache; warm-up first.

        Raises
        ------
        Unsupported
            When this chip, or this release of PyTorch, does not run the kernel. Other failures pass through.
        """
        try:
            with self.torch.inference_mode():
                return self._timed(self._calls(case))
        finally:
            if self.library:
                self.library.empty_cache()

    def _sync(self) -> None:
        if self.library:
            self.library.synchronize()

    def _elapsed(self, run: Call, rounds: int) -> float:
        self._sync()
        start = time.perf_counter()
        for _ in range(rounds):
            run()
        self._sync()
        return time.perf_counter() - start

    def _timed(self, calls: Sequence[Call]) -> Reading:
        def plain() -> None:
            for call in calls:
                call()

        self._elapsed(plain, 2)
        run = self._graph(plain)
        once = self._elapsed(run, 1)
        rounds = max(1, math.ceil(REPEAT_S.get(self.kind, DEFAULT_REPEAT_S) / once))
        times = [self._elapsed(run, rounds) / (rounds * len(calls)) for _ in range(REPEATS)]
        seconds = statistics.median(times)
        return Reading(seconds, *self._state(run, seconds * len(calls)))

    def _graph(self, plain: Call) -> Call:
        """One launch for all calls, as engines do; the plain loop where the software cannot record it."""
        if self.place != "cuda":
            return plain
        try:
            graph = self.torch.cuda.CUDAGraph()
            with self.torch.cuda.graph(graph):
                plain()
        except RuntimeError:
            self._sync()
            return plain
        graph.replay()
        replay: Call = graph.replay
        return replay

    def _state(self, run: Call, once: float) -> tuple[str, str]:
        if self.library is None:
            return "", ""
        for _ in range(min(500, math.ceil(LOADED_S / once))):
            run()
        state = read_state(self.kind)
        self._sync()
        return state

    # --- kernels -----------------------------------------------------------------------------------------------

    def _calls(self, case: Case) -> list[Call]:
        """The kernel on several sets of operands, so that none is found in cache."""
        build = {
            "gemm": self._gemm,
            "grouped_gemm": self._grouped,
            "attention_prefill": self._prefill,
            "attention_decode": self._decode,
            "elementwise": self._copy,
        }[case.family]
        try:
            first, held = build(case)
            first()
            self._sync()
        except (RuntimeError, ValueError) as error:  # how PyTorch refuses a kernel, out of memory included
            self._sync()  # a device that broke down fails here again: then no kernel is to blame, and nothing is skipped
            raise Unsupported(first_line(error)) from error
        fitting = math.ceil(ROUND_S / max(self._elapsed(first, 1), 1e-9))
        copies = min(MOST_COPIES, fitting, math.ceil(COLD / held))
        return [first, *(build(case)[0] for _ in range(copies - 1))]

    def _random(self, *shape: int, dtype: Any = None) -> Any:
        return self.torch.randn(*shape, dtype=dtype or self.torch.bfloat16, device=self.place)

    def _needed(self, name: str) -> Any:
        """A function or a format that older releases lack."""
        found = getattr(self.torch, name, None)
        if found is None:
            raise Unsupported(f"PyTorch {self.torch.__version__} has no {name}")
        return found

    def _gemm(self, case: Case) -> tuple[Call, float]:
        torch, (m, n, k) = self.torch, (case.size(name) for name in "mnk")
        if case.precision == "int8":
            product = self._needed("_int_mm")
            a = torch.randint(-9, 9, (m, k), dtype=torch.int8, device=self.place)
            b = torch.randint(-9, 9, (n, k), dtype=torch.int8, device=self.place).t()
            return lambda: product(a, b), float(m * k + n * k)
        if case.precision == "fp8":
            fnuz = self.kind == "rocm" and "gfx94" in torch.cuda.get_device_properties(0).gcnArchName
            product = self._needed("_scaled_mm")
            eight = self._needed("float8_e4m3fnuz" if fnuz else "float8_e4m3fn")
            x, w = self._random(m, k).to(eight), self._random(n, k).to(eight).t()
            one = torch.ones(1, device=self.place)
            return lambda: product(x, w, one, one, out_dtype=torch.bfloat16), float(m * k + n * k)
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[case.precision]
        left, right = self._random(m, k, dtype=dtype), self._random(n, k, dtype=dtype).t()
        return lambda: left @ right, 2.0 * (m * k + n * k)

    def _grouped(self, case: Case) -> tuple[Call, float]:
        """Gate and up together, then down, for all experts: one expert layer without its activation function."""
        torch, (rows, inner, hidden) = self.torch, (case.size(name) for name in "mnk")
        experts = case.size("experts")
        up, down = self._random(experts, hidden, 2 * inner), self._random(experts, inner, hidden)
        held = 2.0 * (up.numel() + down.numel())
        if self.place == "cuda" and hasattr(torch, "_grouped_mm"):
            ends = torch.arange(1, experts + 1, device=self.place, dtype=torch.int32) * rows
            x, y = self._random(experts * rows, hidden), self._random(experts * rows, inner)

            def grouped() -> None:
                torch._grouped_mm(x, up, offs=ends)
                torch._grouped_mm(y, down, offs=ends)

            try:
                grouped()
                return grouped, held
            except RuntimeError:
                pass
        a, b = self._random(experts, rows, hidden), self._random(experts, rows, inner)
        return lambda: (torch.bmm(a, up), torch.bmm(b, down)), held

    def _prefill(self, case: Case) -> tuple[Call, float]:
        attend = self.torch.nn.functional.scaled_dot_product_attention
        batch, new, dim = (case.size(name) for name in ("batch", "new", "head_dim"))
        heads, kv_heads = case.size("heads"), case.size("kv_heads")
        q = self._random(batch, heads, new, dim)
        k, v = (self._random(batch, kv_heads, new, dim) for _ in range(2))
        if "enable_gqa" in (attend.__doc__ or ""):
            return lambda: attend(q, k, v, is_causal=True, enable_gqa=True), 2.0 * (q.numel() + 2 * k.numel())
        k, v = (each.repeat_interleave(heads // kv_heads, dim=1) for each in (k, v))
        return lambda: attend(q, k, v, is_causal=True), 2.0 * (q.numel() + 2 * k.numel())

    def _decode(self, case: Case) -> tuple[Call, float]:
        """One new token: query heads that share a key-value head are rows of one product."""
        attend, sizes = self.torch.nn.functional.scaled_dot_product_attention, dict(case.sizes)
        batch, context, heads = sizes["batch"], sizes["past"] + 1, sizes["heads"]
        if "latent" in sizes:
            k = self._random(batch, 1, context, sizes["latent"] + sizes["rope_dim"])
            v = k[..., : sizes["latent"]]
            q = self._random(batch, 1, heads, k.shape[-1])
            return lambda: attend(q, k, v), 2.0 * k.numel()
        groups, dim = sizes["kv_heads"], sizes["head_dim"]
        k, v = (self._random(batch, groups, context, dim) for _ in range(2))
        q = self._random(batch, groups, heads // groups, dim)
        return lambda: attend(q, k, v), 4.0 * k.numel()

    def _copy(self, case: Case) -> tuple[Call, float]:
        source = self._random(case.size("bytes") // 4)  # two bytes each, read and written
        target = self.torch.empty_like(source)
        return lambda: target.copy_(source), 4.0 * source.numel()

    # --- several devices ---------------------------------------------------------------------------------------

    def collectives(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Reading]]:
        """Collectives of all devices of this machine, one process for each."""
        from sim.calibrate.measure.ranks import collective_times

        for case, seconds in collective_times(self.place, self.ranks, list(cases)):
            yield case, Reading(seconds)


def _processor() -> str:
    import platform

    return platform.processor() or platform.machine() or "processor"
