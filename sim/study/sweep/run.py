"""A sweep from its points to finished blocks: what is kept already is not computed again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field

import numpy as np

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem
from sim.study.metrics import Metrics
from sim.study.question import Question, load_question
from sim.study.sweep.block import Piece, Refused, blocks_for, compute, failed, piece, span
from sim.study.sweep.cache import Cache
from sim.study.sweep.grid import Axis, Point, points
from sim.study.sweep.workers import Workers

TASK_S = 1.0  # aimed at: long against the cost of sending it, short against the wait for the last one
FIRST_DRAWS = 1024  # of the first task of a job, before its speed is known
DEATHS = 2  # of workers, alone with a task, after which the task is given up

DEAD = "its worker died each time it was tried"
Results = list[Metrics | Refused]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a sweep has to find out.

    Attributes
    ----------
    questions : list of Question
        One a point.
    pieces : list of Piece
        Jobs of all points, point after point.
    files : tuple
        Files that each point rests on, with their SHA-256.
    """

    axes: tuple[Axis, ...]
    points: list[Point]
    questions: list[Question]
    pieces: list[Piece]
    files: tuple[tuple[tuple[str, str], ...], ...]
    draws: int
    seed: int

    @property
    def blocks(self) -> int:
        """Blocks of one piece."""
        return blocks_for(self.draws)


@dataclass(slots=True)
class Progress:
    """How far a sweep is, in blocks."""

    total: int
    kept: int = 0
    done: int = 0
    refused: int = 0  # pieces


class ClusterLostError(InputError):
    """Nobody is left to compute."""

    def __init__(self, message: str) -> None:
        super().__init__([Problem(message)])


@dataclass(eq=False, slots=True)
class _Task:
    """Some blocks of one piece, sent out together."""

    number: int
    blocks: tuple[int, ...]
    deaths: int = 0

    @property
    def draws(self) -> int:
        """Of all its blocks."""
        return sum(span(block)[1] for block in self.blocks)


@dataclass(slots=True)
class _Pace:
    """Blocks a task should hold: about :data:`TASK_S` seconds of work, by what the last task of the job took a draw."""

    draws_per_s: dict[int, float] = field(default_factory=dict)

    def first(self, job: int, blocks: list[int]) -> int:
        """How many of the blocks go into the next task."""
        room = TASK_S * self.draws_per_s.get(job, FIRST_DRAWS / TASK_S)
        ends = np.cumsum([span(block)[1] for block in blocks])
        return max(1, int(np.searchsorted(ends, room, side="right")))

    def learn(self, task: _Task, job: int, seconds: float) -> None:
        """Take in what a task took where it was computed."""
        self.draws_per_s[job] = task.draws / max(seconds, 1e-3)


def _timed(
    work: Callable[[Piece, Sequence[int]], Results], piece: Piece, blocks: Sequence[int]
) -> tuple[float, Results]:
    """Results of a task and the seconds they took, without the wait for a worker and the search of layouts before them."""
    work(piece, ())
    started = time.perf_counter()
    results = work(piece, blocks)
    return time.perf_counter() - started, results


def plan_sweep(
    catalogue: Catalogue,
    scenario: str,
    axes: Sequence[Axis],
    draws: int | None = None,
    seed: int | None = None,
    as_of: str | None = None,
) -> Plan:
    """Load the question of every point.

    Parameters
    ----------
    as_of : str, optional
        No price later than this date is used, instead of the scenario's own date.

    Raises
    ------
    InputError
        When a file or a value is wrong, or a varied file plays no part in the question.
    """
    base = load_question(catalogue, scenario, as_of)
    order = tuple(quantity.path for quantity in base.inputs)
    chosen = base.scenario.uncertainty
    seed = chosen.seed if seed is None else seed
    found = points(axes)
    loaded = [_question(catalogue, scenario, point, as_of) for point in found]
    questions = [question for question, _ in loaded]
    pieces = [piece(each, job, order, seed) for each in questions for job in range(len(each.tasks))]
    files = tuple(files for _, files in loaded)
    return Plan(tuple(axes), found, questions, pieces, files, draws or chosen.draws, seed)


def _question(
    catalogue: Catalogue, scenario: str, point: Point, as_of: str | None
) -> tuple[Question, tuple[tuple[str, str], ...]]:
    changed = catalogue.with_changes(point)
    try:
        question = load_question(changed, scenario, as_of)
    except InputError as error:
        values = ", ".join(str(change) for change in point)
        raise InputError([Problem(f"with {values}: {problem}") for problem in error.problems]) from None
    unused = changed.unused_changes()
    if unused:
        raise InputError(
            [Problem(f"{unused[0].path}: {scenario} uses no such file, so nothing would change")]
        )
    return question, changed.files_read


def run_sweep(
    plan: Plan,
    cache: Cache,
    crew: Workers,
    tell: Callable[[Progress], None] = lambda _: None,
    work: Callable[[Piece, Sequence[int]], Results] = compute,
) -> dict[int, Refused]:
    """Compute what the cache does not hold.

    Parameters
    ----------
    work : callable
        What a worker does with some blocks of a piece.

    Returns
    -------
    dict of int to Refused
        Pieces without an answer, and why; the blocks of all others are in the cache.

    Raises
    ------
    ClusterLostError
        When the cluster goes away; what was finished is kept.
    """
    missing = {
        number: [block for block in range(plan.blocks) if not cache.holds(work.block_key(block))]
        for number, work in enumerate(plan.pieces)
    }
    missing = {number: blocks for number, blocks in missing.items() if blocks}
    total = len(plan.pieces) * plan.blocks
    progress = Progress(total, kept=total - sum(map(len, missing.values())))
    tell(progress)
    refused: dict[int, Refused] = {}
    for task, results in _Dispatch(plan, missing, crew, work).results():
        for block, result in zip(task.blocks, results, strict=True):
            if isinstance(result, Refused):
                refused[task.number] = result
            else:
                cache.put(plan.pieces[task.number].block_key(block), result)
        progress.done += len(task.blocks)
        progress.refused = len(refused)
        tell(progress)
    return refused


class _Dispatch:
    """Sends tasks to workers, two for each, and takes what they give."""

    def __init__(
        self,
        plan: Plan,
        missing: dict[int, list[int]],
        crew: Workers,
        work: Callable[[Piece, Sequence[int]], Results],
    ) -> None:
        self._plan, self._crew, self._work = plan, crew, work
        self._missing = dict(missing)
        self._suspects: deque[_Task] = deque()  # were in flight when a worker died: tried again alone
        self._running: dict[Future[tuple[float, Results]], _Task] = {}
        self._pace = _Pace()

    def results(self) -> Iterator[tuple[_Task, Results]]:
        """Tasks with their results, in the order in which they end."""
        while self._missing or self._suspects or self._running:
            while (task := self._next()) is not None:
                self._send(task)
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            dead = []
            for future in done:
                task = self._running.pop(future)
                results = self._result(task, future)
                if results is None:
                    dead.append(task)
                else:
                    yield task, results
            if dead:
                yield from self._bury(dead)

    def _next(self) -> _Task | None:
        """What to send now, if there is room."""
        if self._suspects:
            return None if self._running else self._suspects.popleft()
        room = 1 if self._crew.size == 1 else 2 * self._crew.size
        if not self._missing or len(self._running) >= room:
            return None
        # A worker searches layouts before its first block of a piece, so two seldom share one.
        busy = {task.number for task in self._running.values()}
        number = next((each for each in self._missing if each not in busy), next(iter(self._missing)))
        blocks = self._missing.pop(number)
        count = self._pace.first(self._plan.pieces[number].job, blocks)
        if blocks[count:]:
            self._missing = {number: blocks[count:], **self._missing}
        return _Task(number, tuple(blocks[:count]))

    def _send(self, task: _Task) -> None:
        piece = self._plan.pieces[task.number]
        try:
            future = self._crew.executor.submit(_timed, self._work, piece, task.blocks)
        except self._crew.broken as error:  # another task has just killed the pool
            future = Future()
            future.set_exception(error)
        self._running[future] = task

    def _result(self, task: _Task, future: Future[tuple[float, Results]]) -> Results | None:
        """What a task gave; None when its worker died."""
        if future.cancelled():
            raise ClusterLostError(
                "the cluster went away; what was finished is kept: run the same command again"
            )
        error = future.exception()
        if error is None:
            seconds, results = future.result()
            self._pace.learn(task, self._plan.pieces[task.number].job, seconds)
            return results
        if isinstance(error, self._crew.broken):
            return None
        if isinstance(error, self._crew.killed):
            return [Refused(DEAD)] * len(task.blocks)
        return [failed(error)] * len(task.blocks)

    def _bury(self, dead: list[_Task]) -> Iterator[tuple[_Task, Results]]:
        """Start anew after a death: who was alone is to blame, of several nobody knows."""
        dead += self._running.values()  # a pool dies as a whole
        self._running.clear()
        self._crew.restart()
        for task in dead:
            task.deaths += len(dead) == 1
            if task.deaths >= DEATHS:
                yield task, [Refused(DEAD)] * len(task.blocks)
            else:
                self._suspects.append(task)
