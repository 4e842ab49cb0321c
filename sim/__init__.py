"""Chip Parity: how much of one AI chip is worth how much of another, for a real job, at what cost, how sure.

``from sim import load, run, compare, sweep`` asks from Python what ``parity`` asks from the terminal.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.notebook import compare, load, run, sweep

__all__ = ["compare", "load", "run", "sweep"]


def __getattr__(name: str) -> Any:
    # On demand: the command starts without them.
    if name in __all__:
        from sim import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
