"""A prefix cache over hashed blocks: what requests hold is pinned, the rest leaves least recently used first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheTier:
    """Memory behind the device memory: host memory, then solid-state disks.

    Attributes
    ----------
    blocks : float
        Prefix blocks it holds.
    load_token_s : float
        Time to bring a token's cache back to the device, during which the instance waits [s/token].
    """

    blocks: float
    load_token_s: float


@dataclass(frozen=True, slots=True)
class PrefixSettings:
    """A prefix cache.

    Attributes
    ----------
    block_tokens : int
        Tokens of a hashed block; a multiple of the engine's cache block.
    tiers : tuple of CacheTier
        Where blocks go that the device memory drops, nearest first.
    """

    block_tokens: int = 512
    tiers: tuple[CacheTier, ...] = ()


class PrefixCache:
    """Full blocks of prompts, by id. An id stands for its block and all before it (a path in a radix tree).

    Notes
    -----
    Blocks in use by requests are pinned. When the last user leaves, they turn idle, the deepest first, so that a path
    is shortened from its end. Idle blocks fill the device memory that nobody needs and drop to the next tier, oldest
    first. A block is in one place only, so tiers add up to one least-recently-used list.
    """

    __slots__ = ("_idle", "_pins", "_tiers", "settings")

    def __init__(self, settings: PrefixSettings) -> None:
        self.settings = settings
        self.clear()

    def clear(self) -> None:
        """Forget everything: the node has failed."""
        self._pins: dict[int, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._tiers: list[OrderedDict[int, None]] = [OrderedDict() for _ in self.settings.tiers]

    @property
    def pinned(self) -> int:
        """Blocks in use."""
        return len(self._pins)

    @property
    def idle(self) -> int:
        """Blocks in device memory that nobody uses."""
        return len(self._idle)

    def match(self, ids: Sequence[int]) -> int:
        """Leading blocks that are known in some tier."""
        known = 0
        for block in ids:
            if not (block in self._pins or block in self._idle or any(block in tier for tier in self._tiers)):
                break
            known += 1
        return known

    def unpinned(self, ids: Sequence[int]) -> int:
        """How many of these known blocks have to be pinned anew."""
        return sum(block not in self._pins for block in ids)

    def acquire(self, ids: Sequence[int]) -> tuple[int, float]:
        """Pin known blocks; tokens that came from slower tiers, and the time that took [s]."""
        size, loaded, time = self.settings.block_tokens, 0, 0.0
        for block in ids:
            if block in self._pins:
                self._pins[block] += 1
                continue
            self._pins[block] = 1
            if block in self._idle:
                del self._idle[block]
                continue
            place = next(number for number, tier in enumerate(self._tiers) if block in tier)
            del self._tiers[place][block]
            loaded += size
            time += size * self.settings.tiers[place].load_token_s
        return loaded, time

    def insert(self, ids: Sequence[int]) -> int:
        """Pin blocks that were just read; how many of them are new to the pinned ones."""
        before = len(self._pins)
        for block in ids:
            if block not in self._pins:
                self._idle.pop(block, None)
                for tier in self._tiers:
                    tier.pop(block, None)
            self._pins[block] = self._pins.get(block, 0) + 1
        return len(self._pins) - before

    def release(self, ids: Sequence[int]) -> int:
        """Give blocks back; how many of them turned idle."""
        before = len(self._pins)
        for block in reversed(ids):
            users = self._pins[block] - 1
            if users:
                self._pins[block] = users
            else:
                del self._pins[block]
                self._idle[block] = None
        return before - len(self._pins)

    def trim(self, room: int) -> None:
        """Keep at most ``room`` idle blocks on the device; the oldest drop to the next tier."""
        while len(self._idle) > room:
            block, _ = self._idle.popitem(last=False)
            for tier, settings in zip(self._tiers, self.settings.tiers, strict=True):
                tier[block] = None
                if len(tier) <= settings.blocks:
                    break
                block, _ = tier.popitem(last=False)
