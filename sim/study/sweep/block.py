"""One piece of a sweep: a job of a point in a fixed block of draws. It needs no file and may run anywhere."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.profiles.messages import InputError
from sim.quantity import UnknownQuantityError
from sim.study.answer import CannotRunError, ServingStudy, TrainingStudy, prepare
from sim.study.metrics import Metrics, metrics
from sim.study.question import Question
from sim.study.sweep.memory import keep_freed_memory
from sim.study.worlds import sobol_rows

FIRST, MOST = 64, 2048  # draws of the first block, and of a late one
NO_ANSWER = (CannotRunError, UnknownQuantityError, InputError)
STUDIES = 4  # prepared jobs that a worker keeps at hand


def span(block: int) -> tuple[int, int]:
    """First draw of a block, and how many it has: 64, 64, 128, 256, 512, 1024, then 2048 each.

    The block is what is kept. Its draws never depend on how many are asked for, so that more draws recompute nothing; the
    early ones are short, so that few draws cost little.

    Examples
    --------
    >>> [span(block) for block in range(8)]
    [(0, 64), (64, 64), (128, 128), (256, 256), (512, 512), (1024, 1024), (2048, 2048), (4096, 2048)]
    """
    if block == 0:
        return 0, FIRST
    doubled = FIRST << (block - 1)
    if doubled <= MOST:
        return doubled, doubled
    late = block - (MOST // FIRST).bit_length()
    return MOST * (late + 1), MOST


def blocks_for(draws: int) -> int:
    """Blocks that hold at least so many draws.

    Examples
    --------
    >>> [blocks_for(draws) for draws in (1, 64, 65, 1000, 1025, 100_000)]
    [1, 1, 2, 5, 6, 54]
    """
    block = 0
    while sum(span(block)) < draws:
        block += 1
    return block + 1


@dataclass(frozen=True, eq=False)
class Piece:
    """A job of a point, wherever it is computed.

    Attributes
    ----------
    question : Question
        With the values of the point, and the one task of the piece: what travels is small.
    job : int
        Index of the task among those of the sweep.
    columns : tuple of int
        Dimension of the Sobol sequence that each input of the question follows, then each shared cause: an input keeps
        its dimension in all points, so that they see the same worlds.
    dimensions : int
        Of the sequence.
    key : str
        Hash of everything the results follow from, save the number of the block.
    """

    question: Question
    job: int
    columns: tuple[int, ...]
    dimensions: int
    seed: int
    key: str

    def block_key(self, block: int) -> str:
        """Name under which a block is kept."""
        return hashlib.sha256(f"{self.key}/{block}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Refused:
    """A piece that has no answer, and why.

    Attributes
    ----------
    trace : str
        Where our own code failed; empty where the question has no answer, or its worker died.
    """

    reason: str
    trace: str = ""


def failed(error: BaseException) -> Refused:
    """A mistake of ours: the point is skipped as any other, but told apart."""
    trace = "".join(traceback.format_exception(error))
    return Refused(f"internal error, {type(error).__name__}: {error}", trace)


def piece(question: Question, job: int, order: Sequence[str], seed: int) -> Piece:
    """The piece of a job, with its hash.

    Parameters
    ----------
    order : sequence of str
        Paths of the inputs of the whole sweep; what a question has beyond them follows.
    """
    place = {path: index for index, path in enumerate(order)}
    names = [quantity.path for quantity in question.inputs] + [
        f"cause {i}" for i in range(len(question.ties))
    ]
    for name in names:
        place.setdefault(name, len(place))
    columns = tuple(place[name] for name in names)
    task = question.tasks[job]
    trace = (
        b""
        if task.trace is None
        else b"".join(np.ascontiguousarray(part).tobytes() for part in _arrays(task.trace))
    )
    said = repr(
        (
            code_version(),
            question.a,
            question.b,
            task.job,
            task.model,
            task.workload,
            question.ties,
            question.choices,
            columns,
            len(place),
            seed,
        )
    )
    key = hashlib.sha256(said.encode() + trace).hexdigest()
    return Piece(replace(question, tasks=(task,)), job, columns, len(place), seed, key)


def _arrays(trace: object) -> list[NDArray[np.float64]]:
    names = getattr(trace, "__slots__", None) or vars(trace)
    values = (getattr(trace, name) for name in names)
    return [value for value in values if isinstance(value, np.ndarray)]


@lru_cache(maxsize=1)
def code_version() -> str:
    """Version of the package with a hash of its modules: other code, other results."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return f"{version('chip-parity')}+{digest.hexdigest()[:16]}, numpy {np.__version__}"


def compute(work: Piece, blocks: Sequence[int]) -> list[Metrics | Refused]:
    """Results of some blocks of a piece; runs in a worker.

    A question that cannot be answered gives :class:`Refused`, so that one bad point never ends a sweep; so does a mistake
    of ours, with its traceback.
    """
    keep_freed_memory()
    try:
        study = _prepared(work)
    except NO_ANSWER as error:
        return [Refused(str(error))] * len(blocks)
    except Exception as error:
        return [failed(error)] * len(blocks)
    return [_block(work, study, block) for block in blocks]


def _block(work: Piece, study: TrainingStudy | ServingStudy, block: int) -> Metrics | Refused:
    first, draws = span(block)
    rows = sobol_rows(first, draws, work.dimensions, work.seed)
    question = work.question
    world = question.world(question.probabilities(rows[:, list(work.columns)]))
    try:
        return metrics(question, study, study.answer(world), draws)
    except NO_ANSWER as error:
        return Refused(str(error))
    except Exception as error:
        return failed(error)


_STUDIES: dict[str, TrainingStudy | ServingStudy] = {}


def _prepared(work: Piece) -> TrainingStudy | ServingStudy:
    """The study of a piece; layouts are searched once in every worker."""
    if work.key not in _STUDIES:
        while len(_STUDIES) >= STUDIES:
            del _STUDIES[next(iter(_STUDIES))]
        _STUDIES[work.key] = prepare(work.question, work.question.tasks[0])
    return _STUDIES[work.key]
