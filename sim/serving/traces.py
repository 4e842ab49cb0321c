"""Recorded traffic: readers of published trace formats, and what a prefix cache would have found."""

from __future__ import annotations

import csv
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sim.serving.sessions import KEYS as SESSION_KEYS
from sim.serving.sessions import Round, as_sessions
from sim.serving.traffic import Counts, Requests, Trace, TraceError

CACHE_BLOCK_TOKENS = 512  # prefix block of the Mooncake trace format
LONGEST = 2**31 - 1  # what a column of token counts holds
AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
BURST = ("Timestamp", "Request tokens", "Response tokens")
MOONCAKE = ("timestamp", "input_length", "output_length")
SHOWN: dict[tuple[str, ...], str] = {
    AZURE: "Azure",
    BURST: "BurstGPT",
    MOONCAKE: "Mooncake",
    SESSION_KEYS: "agent sessions",
}


@dataclass(slots=True)
class _Columns:
    """What a reader found, row by row."""

    rows: list[tuple[float, int, int]]
    blocks: list[Sequence[int]] | None = None
    rounds: list[Round] | None = None


def read_trace(path: Path | str, cache_blocks: float = float("inf")) -> Requests:
    """Requests of a trace file behind a prefix cache of so many blocks of 512 tokens; see :func:`load_trace`."""
    trace = load_trace(path)
    if trace.blocks is None or np.isinf(cache_blocks):
        return trace.requests
    hits = np.minimum(prefix_hits(trace.blocks, cache_blocks), trace.requests.prompt - 1)
    return replace(trace.requests, cached=hits)


def load_trace(path: Path | str) -> Trace:
    """A trace by its columns or keys: Azure or BurstGPT (CSV), Mooncake (JSONL), agent sessions (either).

    Raises
    ------
    TraceError
        With file and line, when the file does not have the expected columns or a row is broken.

    Notes
    -----
    Azure: TIMESTAMP, ContextTokens, GeneratedTokens. BurstGPT: Timestamp [s], Request tokens, Response tokens; rows
    without an answer are failures and are left out. Mooncake: timestamp [ms], input_length, output_length, hash_ids
    (ids of 512-token blocks). Sessions: :mod:`sim.serving.sessions`.
    """
    path = Path(path)
    readers = {".csv": _table, ".jsonl": _records}
    if path.suffix not in readers:
        raise TraceError(
            f"{path}: a trace must end in .csv (columns of Azure or BurstGPT) or .jsonl (keys of Mooncake or of sessions)"
        )
    try:
        with _opened(path) as file:
            found = readers[path.suffix](file, path)
    except UnicodeDecodeError:
        raise TraceError(f"{path}: not a text in UTF-8; unpack or save it as UTF-8") from None
    except csv.Error as error:
        raise TraceError(f"{path}: not a table ({error})") from None
    if found.rounds is not None:
        return _from_rounds(found.rounds, path)
    return _from_rows(found, path)


def prefix_hits(prompts: Iterable[Sequence[int]], cache_blocks: float = float("inf")) -> Counts:
    """Tokens of each prompt found in a shared prefix cache that drops the least recently used block.

    Parameters
    ----------
    prompts : iterable of sequences
        Ids of the 512-token blocks of each prompt, in order of arrival.
    cache_blocks : float
        Blocks the cache holds.

    Returns
    -------
    ndarray (n,)
        Leading run of known blocks, in tokens.

    Examples
    --------
    >>> prefix_hits([[1, 2], [1, 2, 3], [9]]).tolist()
    [0, 1024, 0]
    """
    cache: OrderedDict[int, None] = OrderedDict()
    hits = []
    for blocks in prompts:
        known = 0
        while known < len(blocks) and blocks[known] in cache:
            known += 1
        hits.append(known * CACHE_BLOCK_TOKENS)
        for block in blocks:
            cache[block] = None
            cache.move_to_end(block)
        while len(cache) > cache_blocks:
            cache.popitem(last=False)
    return np.array(hits, dtype=np.int32)


# --- CSV ---------------------------------------------------------------------------------------------------


def _table(file: TextIO, path: Path) -> _Columns:
    reader = csv.DictReader(file)
    columns = set(reader.fieldnames or ())
    kinds: dict[tuple[str, ...], Callable[..., tuple[float, int, int] | None]]
    kinds = {AZURE: _azure_row, BURST: _burst_row}
    if set(SESSION_KEYS) <= columns:
        rounds = [_round(row, path, reader.line_num) for row in reader]
        return _Columns([], rounds=rounds)
    # The layout that shares most columns with the file is the one that was meant.
    meant = max((*kinds, SESSION_KEYS), key=lambda names: len(columns & set(names)))
    missing = [name for name in meant if name not in columns]
    if missing:
        raise TraceError(
            f"{path}:1: column {missing[0]} is missing; expected {', '.join(meant)} ({SHOWN[meant]})"
        )
    rows = (kinds[meant](row, path, reader.line_num) for row in reader)
    return _Columns([row for row in rows if row is not None])


def _azure_row(row: dict[str, Any], path: Path, line: int) -> tuple[float, int, int] | None:
    stamp, context, generated = (row[name] for name in AZURE)
    return (_moment(stamp, path, line), *_lengths(context, generated, path, line))


def _burst_row(row: dict[str, Any], path: Path, line: int) -> tuple[float, int, int] | None:
    """None for a request that failed: no answer was made."""
    stamp, asked, answered = (row[name] for name in BURST)
    try:
        second = float(stamp)
    except (TypeError, ValueError):
        raise TraceError(f"{path}:{line}: Timestamp is '{stamp}'; expected seconds") from None
    if not np.isfinite(second):
        raise TraceError(f"{path}:{line}: Timestamp is '{stamp}'; expected seconds")
    lengths = _lengths(asked, answered, path, line)
    return None if str(answered).strip() == "0" else (second, *lengths)


# --- JSONL -------------------------------------------------------------------------------------------------


def _records(file: TextIO, path: Path) -> _Columns:
    found = _Columns([])
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        record = _record(line, path, number)
        if found.rounds is not None or (not found.rows and "session_id" in record):
            found.rounds = found.rounds or []
            found.rounds.append(_round(record, path, number))
        else:
            _mooncake(record, found, path, number)
    return found


def _record(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise _no_request(path, number, str(error)) from None
    if not isinstance(record, dict):
        raise _no_request(path, number, f"read {str(record)[:40]}")
    return record


def _mooncake(record: dict[str, Any], found: _Columns, path: Path, number: int) -> None:
    try:
        stamp = float(record["timestamp"]) / 1000
        lengths = record["input_length"], record["output_length"]
        blocks = [int(block) for block in record.get("hash_ids", ())]
        if not np.isfinite(stamp):
            raise ValueError(f"timestamp is {stamp}")
    except (ValueError, KeyError, TypeError) as error:
        raise _no_request(path, number, _plain(error)) from None
    if found.blocks is None and "hash_ids" in record:
        found.blocks = [() for _ in found.rows]
    if found.blocks is not None:
        found.blocks.append(blocks)
    found.rows.append((stamp, *_lengths(*lengths, path, number)))


def _no_request(path: Path, number: int, why: str) -> TraceError:
    return TraceError(
        f"{path}:{number}: not a request ({why}); expected "
        '{"timestamp": ms, "input_length": tokens, "output_length": tokens, "hash_ids": [...]}'
    )


# --- both --------------------------------------------------------------------------------------------------


def _round(record: dict[str, Any], path: Path, line: int) -> Round:
    """One round of an agent session."""
    missing = [key for key in SESSION_KEYS if record.get(key) in (None, "")]
    if missing:
        raise TraceError(f"{path}:{line}: {missing[0]} is missing; expected {', '.join(SESSION_KEYS)}")
    try:
        start, wait = (float(record[key]) / 1000 for key in ("arrival_time", "tool_wait_after_ms"))
        turn, prefix = int(record["round_idx"]), int(record["prefix_len"])
    except (TypeError, ValueError) as error:
        raise TraceError(f"{path}:{line}: not a round of a session ({error})") from None
    if not (np.isfinite(start) and wait >= 0 and np.isfinite(wait) and prefix >= 0):
        raise TraceError(
            f"{path}:{line}: arrival_time {record['arrival_time']}, tool_wait_after_ms {record['tool_wait_after_ms']} and "
            f"prefix_len {prefix}; expected numbers, the last two not negative"
        )
    new, output = _lengths(record["input_len"], record["output_len"], path, line)
    if prefix + new > LONGEST:
        raise TraceError(f"{path}:{line}: a prompt of {prefix + new} tokens; the most is {LONGEST:,}")
    return Round(str(record["session_id"]), start, turn, prefix, new, output, wait)


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise TraceError(f"{path}: cannot be opened ({error.strerror})") from None


def _plain(error: Exception) -> str:
    return f"key {error} is missing" if isinstance(error, KeyError) else str(error)


def _moment(text: str | None, path: Path, line: int) -> float:
    try:
        stamp = datetime.fromisoformat((text or "")[:26].strip())
    except ValueError:
        message = f"{path}:{line}: TIMESTAMP is '{text}'; expected a time such as 2023-11-16 18:15:46.68"
        raise TraceError(message) from None
    return (stamp - datetime(1970, 1, 1, tzinfo=stamp.tzinfo)).total_seconds()


def _lengths(prompt: object, output: object, path: Path, line: int) -> tuple[int, int]:
    try:
        counts = int(str(prompt)), int(str(output))
    except ValueError:
        raise TraceError(
            f"{path}:{line}: lengths are '{prompt}' and '{output}'; expected whole token counts"
        ) from None
    if max(counts) > LONGEST:
        raise TraceError(f"{path}:{line}: lengths are {prompt} and {output}; the most is {LONGEST:,} tokens")
    if min(counts) < 0:
        raise TraceError(
            f"{path}:{line}: lengths are {prompt} and {output}; a token count cannot be negative"
        )
    return max(counts[0], 1), max(counts[1], 1)


def _from_rows(found: _Columns, path: Path) -> Trace:
    if not found.rows:
        raise TraceError(f"{path}: no requests in the file")
    table = np.array(found.rows)
    order = np.argsort(table[:, 0], kind="stable")
    prompt, output = (table[order, column].astype(np.int32) for column in (1, 2))
    named = None if found.blocks is None else tuple(found.blocks[row] for row in order)
    hits = np.zeros_like(prompt) if named is None else np.minimum(prefix_hits(named), prompt - 1)
    return Trace(Requests(table[order, 0] - table[order[0], 0], prompt, output, hits), named)


def _from_rounds(rounds: list[Round], path: Path) -> Trace:
    if not rounds:
        raise TraceError(f"{path}: no requests in the file")
    sessions = as_sessions(rounds)
    flat = sessions.in_order()
    return Trace(flat.requests, None, flat.follows, flat.wait_s)
