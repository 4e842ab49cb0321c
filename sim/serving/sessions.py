"""Agent sessions: rounds that follow each other, with a growing context and a pause while a tool works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.serving.traffic import LengthDistribution, Requests, Trace

# Columns of a session trace, as the TraceLab replay tool writes them.
KEYS = (
    "session_id",
    "arrival_time",
    "round_idx",
    "prefix_len",
    "input_len",
    "output_len",
    "tool_wait_after_ms",
)
Vector = NDArray[np.float64]
Rows = NDArray[np.int32]


class Round(NamedTuple):
    """One row of a session trace; times in seconds."""

    session: str
    start_s: float  # of the session
    turn: int
    prefix: int  # tokens of the context so far
    new: int  # tokens appended
    output: int
    wait_s: float  # until the next round, after the answer


@dataclass(frozen=True, slots=True)
class Sessions:
    """Requests of which most wait for an earlier one.

    Attributes
    ----------
    requests : Requests
        One row per round. Arrival times are those of sessions whose answers take no time: the earliest possible.
    follows : ndarray (n,)
        Row of the round before in the same session; -1 for the first.
    wait_s : ndarray (n,)
        Pause between that round's answer and this request [s].
    """

    requests: Requests
    follows: Rows
    wait_s: Vector

    def __len__(self) -> int:
        return len(self.requests)

    def in_order(self) -> Sessions:
        """Rows in order of their earliest arrival; rounds at the same time stay in order."""
        order = np.argsort(self.requests.arrival_s, kind="stable")
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        before = self.follows[order]
        follows = np.where(before < 0, -1, place[before]).astype(np.int32)
        return Sessions(_rows(self.requests, order), follows, self.wait_s[order])

    def at_rate(self, rate: float) -> Sessions:
        """Sessions that start more or less often, so that rounds come at ``rate`` [1/s] in the long run; their own
        clock, with its tools, stays."""
        first = self.roots()
        starts = self.requests.arrival_s[first]
        span = float(self.requests.arrival_s[self.follows < 0].max() - self.requests.arrival_s.min())
        sessions = int(np.sum(self.follows < 0))
        if span <= 0:
            return self
        wanted = (sessions - 1) / (rate * sessions / len(self))
        moved = (starts - starts.min()) * (wanted / span)
        arrival = moved + (self.requests.arrival_s - starts)
        return Sessions(replace(self.requests, arrival_s=arrival), self.follows, self.wait_s).in_order()

    def steady(self, rate: float, answer_s: Vector) -> Sessions:
        """Sessions as a service finds them that has run for long: rounds come at ``rate`` [1/s] from the first second.

        Parameters
        ----------
        answer_s : ndarray (n,)
            Time that the answer of a round is expected to take [s].

        Notes
        -----
        With the time of answers and tools, every round has an expected time. The starts of the sessions are stretched
        to fill a period of n / rate, which is closed to a ring: a session that is not over at its end goes on at its
        beginning, as one that was under way when the run began. From there on its rounds follow the answers that they
        really get.
        """
        due = self._expected(answer_s)
        period = len(self) / rate
        starts = due[self.roots()]
        span = float(starts.max() - starts.min())
        sessions = int(np.sum(self.follows < 0))
        stretch = period * (1.0 - 1.0 / sessions) / span if span > 0 else 1.0
        lap, place = np.divmod(due - starts + (starts - starts.min()) * stretch, period)
        cut = (self.follows >= 0) & (lap != lap[self.follows])
        follows = np.where(cut, -1, self.follows).astype(np.int32)
        wait = np.where(cut, 0.0, self.wait_s)
        return Sessions(replace(self.requests, arrival_s=place), follows, wait).in_order()

    def _expected(self, answer_s: Vector) -> Vector:
        """Time of every round when answers take so long [s]; a round stands behind the one it follows."""
        due = self.requests.arrival_s.copy()
        for row, before in enumerate(self.follows.tolist()):
            if before >= 0:
                due[row] = due[before] + answer_s[before] + self.wait_s[row]
        return due

    def by_session(self) -> list[NDArray[np.int_]]:
        """Rows of each session, in order of their start."""
        roots = self.roots()
        order = np.argsort(roots, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(roots[order])) + 1)

    def copies(self, rows: Sequence[NDArray[np.int_]], laps: Sequence[int]) -> Sessions:
        """Some sessions, each with its times moved by so many whole lengths of the trace."""
        order = np.concatenate(rows)
        sizes = [len(each) for each in rows]
        first = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
        place = np.empty(len(self), np.int64)
        for each in rows:
            place[each] = np.arange(len(each))
        before = self.follows[order]
        follows = np.where(before < 0, -1, first + place[before]).astype(np.int32)
        starts = self.requests.arrival_s[self.follows < 0]
        length = float(starts.max() - starts.min()) * (1 + 1 / max(len(starts) - 1, 1))
        requests = _rows(self.requests, order)
        arrival = requests.arrival_s + np.repeat(np.array(laps) * length, sizes)
        return Sessions(replace(requests, arrival_s=arrival), follows, self.wait_s[order])

    def roots(self) -> Rows:
        """Row of the first round of each row's session."""
        first = np.where(self.follows < 0, np.arange(len(self)), self.follows)
        while np.any(self.follows[first] >= 0):
            first = np.where(self.follows[first] >= 0, first[first], first)
        return first.astype(np.int32)

    @property
    def prefix_hit(self) -> float:
        """Share of prompt tokens that stood in the round before [1]."""
        return float(self.requests.cached.sum() / self.requests.prompt.sum())


def sessions_of(trace: Trace) -> Sessions | None:
    """The sessions of a trace; None where its requests do not follow each other."""
    if trace.follows is None or trace.wait_s is None:
        return None
    return Sessions(trace.requests, trace.follows, trace.wait_s)


def as_sessions(rounds: Iterable[Round]) -> Sessions:
    """Sessions of a trace: rounds are put in order of their turn; the context that the trace names is cached."""
    ordered = sorted(rounds, key=lambda each: (each.session, each.turn))
    columns = [
        column for _, group in groupby(ordered, key=lambda each: each.session) for column in _of(list(group))
    ]
    follows = [row - 1 if turn else -1 for row, (turn, *_) in enumerate(columns)]
    _, arrival, prompt, output, cached, wait = (np.array(column) for column in zip(*columns, strict=True))
    requests = Requests(
        arrival - arrival.min(), prompt.astype(np.int32), output.astype(np.int32), cached.astype(np.int32)
    )
    return Sessions(requests, np.array(follows, np.int32), wait)


def _of(group: list[Round]) -> Iterator[tuple[int, float, int, int, int, float]]:
    """(turn, earliest arrival, prompt, output, cached, pause before) of the rounds of a session."""
    clock, wait = group[0].start_s, 0.0
    for turn, each in enumerate(group):
        clock += wait
        cached = each.prefix if turn else 0
        yield turn, clock, each.prefix + each.new, each.output, cached, wait
        wait = each.wait_s


@dataclass(frozen=True, slots=True)
class AgentHabits:
    """How sessions go.

    Attributes
    ----------
    rounds : LengthDistribution
        Requests of a session.
    opening : LengthDistribution
        Tokens of the first prompt: instructions, tools, task [token].
    appended, output : LengthDistribution
        Tokens that a tool or a user adds per round, and that the model answers [token].
    tool_s : float
        Mean time a tool works; exponential [s].
    window : int
        Longest context; a session that would grow beyond is compacted to its opening and goes on [token].
    """

    rounds: LengthDistribution
    opening: LengthDistribution
    appended: LengthDistribution
    output: LengthDistribution
    tool_s: float
    window: int


def draw_sessions(habits: AgentHabits, starts_s: Vector, rng: np.random.Generator) -> Sessions:
    """Sessions that start at given times.

    Notes
    -----
    Prompt of round k = opening + everything appended and answered before + what is appended now. All of the context
    before is cached, save after a compaction.

    Examples
    --------
    Constant lengths: 1,000 to open, 100 appended and 10 answered per round.

    >>> sure = [LengthDistribution(n, 0.0, n) for n in (3, 1000, 100, 10)]
    >>> found = draw_sessions(AgentHabits(*sure, 2.0, 5000), np.zeros(1), np.random.default_rng(0))
    >>> found.requests.prompt.tolist(), found.requests.cached.tolist()
    ([1000, 1110, 1220], [0, 1010, 1120])
    """
    counts = habits.rounds.draw(len(starts_s), rng)
    total = int(counts.sum())
    opening = habits.opening.draw(len(starts_s), rng)
    appended, output = habits.appended.draw(total, rng), habits.output.draw(total, rng)
    waits = rng.exponential(habits.tool_s, total) if habits.tool_s > 0 else np.zeros(total)
    prompt, cached = np.empty(total, np.int32), np.empty(total, np.int32)
    low = 0
    for first, count in zip(opening.tolist(), counts.tolist(), strict=True):
        part = slice(low, low + count)
        prompt[part], cached[part] = _grown(first, appended[part], output[part], habits.window)
        low += count
    begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
    follows = np.arange(-1, total - 1, dtype=np.int32)
    follows[begins] = -1
    waits[begins] = 0.0
    passed = np.cumsum(waits)
    arrival = np.repeat(starts_s - passed[begins], counts) + passed
    return Sessions(Requests(arrival, prompt, output, cached), follows, waits).in_order()


def _grown(opening: int, appended: Rows, output: Rows, window: int) -> tuple[list[int], list[int]]:
    """Prompt and cached tokens of the rounds of one session."""
    prompts, cached = [min(opening, window)], [0]
    context = prompts[0] + int(output[0])
    for added, answered in zip(appended[1:].tolist(), output[1:].tolist(), strict=True):
        kept = context if context + added <= window else min(opening, window)
        prompts.append(min(kept + added, window))
        cached.append(min(kept, prompts[-1] - 1))
        context = prompts[-1] + answered
    return prompts, cached


def _rows(requests: Requests, order: NDArray[np.int_]) -> Requests:
    return Requests(
        requests.arrival_s[order], requests.prompt[order], requests.output[order], requests.cached[order]
    )
