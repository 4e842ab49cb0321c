"""The uncertain inputs as people read them: name, value with unit, range, source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sim.profiles.fields import Document, Source
from sim.profiles.leaves import document_sources
from sim.quantity import WEAK_KINDS, Quantity
from sim.report.numbers import number
from sim.study.question import Question
from sim.units import format_quantity

# Words of the files that read badly in a sentence; all others lose their underscores.
WORDS = {
    "compute.matrix": "dense peak",
    "compute.vector": "vector peak",
    "gemm": "GEMM",
    "grouped_gemm": "expert GEMM",
    "half_rows": "rows at half efficiency",
    "tdp": "power limit",
    "training.idle": "idle power",
    "pue": "PUE",
    "tiers": "network",
    "speed.training": "speed factor in training",
    "speed.prefill": "speed factor in prefill",
    "speed.decode": "speed factor in decode",
    "activity.memory": "power while memory-bound",
    "activity.waiting": "power while waiting",
    "latent_layers": "small kernels of latent attention",
    "grouped_prefill": "prefill launches of grouped-query attention",
    "input": "prompt length",
    "output": "answer length",
    "tpot": "TPOT",
    "ttft": "TTFT",
}
PRECISIONS = {
    "bf16": "BF16",
    "fp16": "FP16",
    "fp8": "FP8",
    "int8": "INT8",
    "fp4": "FP4",
    "tf32": "TF32",
    "fp32": "FP32",
}


@dataclass(frozen=True, slots=True)
class NamedInput:
    """One uncertain input.

    Attributes
    ----------
    name : str
        "Ascend 910C: dense peak BF16".
    source : Source or None
        Where the number comes from.
    cases : tuple of str
        Of a contested matter: the ids of its cases, which the number counts.
    """

    quantity: Quantity
    name: str
    source: Source | None
    cases: tuple[str, ...] = ()

    @property
    def weak(self) -> bool:
        """True where the number is an estimate, hearsay, arithmetic or assumption."""
        return self.quantity.kind in WEAK_KINDS

    @property
    def source_title(self) -> str:
        """Title of the source, or what stands in its place."""
        return self.source.title if self.source else "own assumption"

    def at(self, probability: float) -> str:
        """The input at a probability, in the unit of its file, as the report prints numbers; or the id of the case."""
        if self.cases:
            return self.cases[round(float(self.quantity.quantile(probability)))]
        text = format_quantity(float(self.quantity.quantile(probability)), self.quantity.unit, digits=6)
        value, _, unit = text.partition(" ")
        return f"{number(float(value.replace(',', '')))} {unit.replace('us', 'µs')}".rstrip()


def named_inputs(question: Question) -> tuple[NamedInput, ...]:
    """Names and sources of the inputs of a question, in the order of its columns."""
    documents = list(_documents(question))
    owners = {document.id: document.name for document in documents}
    sources: dict[str, Source | None] = {}
    for document in documents:
        sources |= document_sources(document)
    cases = {choice.quantity.path: choice.names for choice in question.choices}
    return tuple(
        NamedInput(q, readable(q.path, owners), sources.get(q.path), cases.get(q.path, ()))
        for q in question.inputs
    )


def name_of(question: Question, path: str) -> str:
    """Name for people of any number of a question, uncertain or not."""
    return readable(path, {document.id: document.name for document in _documents(question)})


def readable(path: str, owners: Mapping[str, str]) -> str:
    """Name for people of a path such as ``chips/h100-sxm#memory.bandwidth``.

    Examples
    --------
    >>> readable("chips/h100-sxm#compute.matrix.bf16", {"h100-sxm": "NVIDIA H100 SXM"})
    'NVIDIA H100 SXM: dense peak BF16'
    """
    file, field = path.split("#", 1)
    if field.startswith("branches."):
        return f"Which case holds: {field.removeprefix('branches.')}"
    owner = owners.get(file.split("/", 1)[1], file)
    for found, word in WORDS.items():
        if field == found or field.startswith(found + "."):
            field = word + field[len(found) :].replace(".", " ")
            break
    words = [PRECISIONS.get(part, WORDS.get(part, part)) for part in field.replace(".", " ").split(" ")]
    return f"{owner}: {' '.join(words).replace('_', ' ')}"


def _documents(question: Question) -> Iterable[Document]:
    for side in question.sides:
        yield from (side.chip, side.kernels, side.system, side.region)
        yield from side.price_files
        if side.rents is not None:
            yield side.rents
    for task in question.tasks:
        yield task.workload
