"""What is measured: a grid of kernels, and a thinner one for a quick look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sim.calibrate.samples import COLLECTIVES

SMALL_BY = 8  # processors run the same grid with every matrix this many times narrower
ROWS = (1, 8, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
MATRICES = (
    (2048, 7168),
    (7168, 2048),
    (4096, 4096),
    (8192, 8192),
    (28672, 8192),
    (8192, 28672),
    (1536, 6144),
)
EXPERT_ROWS = (1, 4, 16, 32, 64, 128, 256, 512, 1024)
EXPERTS = ((8, 14336, 4096), (32, 2048, 7168), (16, 1536, 4096))  # experts, inner width, hidden width
HEADS = ((32, 8, 128), (64, 8, 128), (16, 1, 128))  # query heads, key-value heads, width
PROMPTS = (256, 1024, 4096, 16384)
CONTEXTS = (512, 2048, 8192, 32768)
BATCHES = (1, 8, 32, 128)
LATENT = {"latent": 512, "head_dim": 128, "rope_dim": 64, "value_dim": 128}  # DeepSeek-V3
COPIES = tuple(4**power * 1024 for power in range(2, 11))
BUFFERS = tuple(4**power * 1024 for power in range(11))
MOST_TOKENS = 65536  # of a prompt pass; longer ones only repeat what these show


@dataclass(frozen=True, slots=True)
class Case:
    """One kernel to measure; sizes are named as the columns of the table."""

    family: str
    precision: str
    sizes: tuple[tuple[str, int], ...]

    def size(self, name: str) -> int:
        """A size."""
        return dict(self.sizes)[name]


def case(family: str, precision: str, **sizes: int) -> Case:
    """Case with its sizes in a fixed order."""
    return Case(family, precision, tuple(sorted(sizes.items())))


def plan(quick: bool = False, small: bool = False, ranks: int = 1) -> list[Case]:
    """Every kernel to measure, small ones first within a family.

    Parameters
    ----------
    quick : bool
        Every second size of every third shape only: enough to see that all works.
    small : bool
        Narrow matrices and short contexts, for processors.
    ranks : int
        Devices for collectives; none below two.
    """
    by, step, shapes = SMALL_BY if small else 1, 2 if quick else 1, 3 if quick else 1
    cases = [*_products(by, step, shapes), *_attention(by, step, shapes)]
    cases += [case("elementwise", "bf16", bytes=size // by) for size in COPIES[::step]]
    whole = 2 * ranks  # every rank holds as many two-byte elements
    for operation in COLLECTIVES if ranks > 1 else ():
        sizes = (size // by // whole * whole for size in BUFFERS[::step])
        cases += [case(operation, "bf16", bytes=size, members=ranks) for size in sizes]
    return cases


def _products(by: int, step: int, shapes: int) -> Iterator[Case]:
    for precision in ("bf16", "fp16", "fp8", "int8"):
        for n, k in MATRICES[::shapes]:
            for m in ROWS[::step]:
                if m <= ROWS[-1] // by:
                    yield case("gemm", precision, m=m, n=n // by, k=k // by)
    for experts, inner, hidden in EXPERTS[::shapes]:
        for m in EXPERT_ROWS[::step]:
            if m <= EXPERT_ROWS[-1] // by:
                yield case("grouped_gemm", "bf16", m=m, n=inner // by, k=hidden // by, experts=experts)


def _attention(by: int, step: int, shapes: int) -> Iterator[Case]:
    for heads, kv_heads, dim in HEADS[::shapes]:
        shape = {"heads": heads, "kv_heads": kv_heads, "head_dim": dim}
        for batch in BATCHES[::step]:
            for new in (size // by for size in PROMPTS[::step]):
                if batch * new <= MOST_TOKENS // by:
                    yield case("attention_prefill", "bf16", batch=batch, new=new, past=0, **shape)
    forms = [{"heads": a, "kv_heads": b, "head_dim": c} for a, b, c in HEADS[::shapes]]
    for shape in (*forms, {"heads": 128, **LATENT}, {"heads": 16, **LATENT}):
        for batch in BATCHES[::step]:
            for context in (size // by for size in CONTEXTS[::step]):
                if batch * context <= BATCHES[-1] * CONTEXTS[-2] // by**2:
                    yield case("attention_decode", "bf16", batch=batch, new=1, past=context - 1, **shape)
