"""Finished blocks on disk, each under the hash of what it follows from."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sim.profiles.messages import InputError, Problem, shown_path
from sim.study.metrics import Metric, Metrics

SEPARATOR = "|"


class Cache:
    """Folder of Parquet files, one a block.

    A file is written under another name, forced to the disk, and renamed: it is there whole or not at all, whatever is
    killed and however many runs write at once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.parquet"

    def holds(self, key: str) -> bool:
        """Whether the block of a key is there."""
        return self._path(key).exists()

    def get(self, key: str) -> Metrics:
        """Block of a key.

        Raises
        ------
        InputError
            When somebody else damaged its file, which is then removed.
        """
        path = self._path(key)
        try:
            table = pq.ParquetFile(path).read(use_threads=False)  # small: one thread
        except (OSError, pa.ArrowException):
            path.unlink(missing_ok=True)
            message = f"{shown_path(path)}: was damaged and is removed; run the same command again"
            raise InputError([Problem(message)]) from None
        names = [Metric(*name.split(SEPARATOR)) for name in table.column_names]
        return {name: np.asarray(table.column(index).to_numpy()) for index, name in enumerate(names)}

    def put(self, key: str, block: Metrics) -> None:
        """Keep a block."""
        path = self._path(key)
        path.parent.mkdir(exist_ok=True)
        table = pa.table({SEPARATOR.join(name): values for name, values in block.items()})
        part = path.with_name(f"{path.stem}.{uuid.uuid4().hex}.part")
        try:
            pq.write_table(table, part, compression="zstd")
            with open(part, "rb") as written:
                os.fsync(written.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
