"""One world: a value for every uncertain input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.quantity import Array, Quantity


@dataclass(frozen=True, slots=True)
class World:
    """Values of the uncertain inputs: scalars in one world, or arrays with one entry per draw.

    Both clusters are resolved in the same world, so what they share is drawn once.

    Attributes
    ----------
    values : mapping of Quantity.path to (draws,) array
        Inputs that are not here stand at their median.

    Examples
    --------
    >>> World()(Quantity(3.2e12, path="chips/x#memory.bandwidth"))
    3200000000000.0
    """

    values: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __call__(self, quantity: Quantity) -> Array:
        """The number a quantity has in this world, in base units.

        Raises
        ------
        UnknownQuantityError
            When the quantity is unknown.
        """
        drawn = self.values.get(quantity.path)
        return quantity.median if drawn is None else drawn


MEDIAN = World()
