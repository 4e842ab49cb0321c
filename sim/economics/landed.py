"""What a chip costs at the border of the buyer: official price, revenue share, duty, premium of the grey market."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class Border:
    """What stands between the official price and the price that is paid.

    Attributes
    ----------
    duty : Array
        Import or transit duty and tax, as a share of the official chip price [1].
    revenue_share : Array
        Share of the seller's revenue that he hands to his government [1].
    pass_through : Array
        Part of the revenue share that he puts on the price [1]; 1 = he keeps his net price, 0 = he bears it.
    grey_premium : Array
        Price paid over official price, for chip and server [1]; 1 = bought officially.
    """

    duty: Array = 0.0
    revenue_share: Array = 0.0
    pass_through: Array = 1.0
    grey_premium: Array = 1.0


def landed_chip(chip_usd: Array, border: Border, server_usd: Array = 0.0) -> dict[str, Array]:
    """Price of a chip at its buyer by block [USD/chip]; the blocks add up to what is paid for the chip.

    Parameters
    ----------
    chip_usd : Array
        Official price [USD/chip].
    server_usd : Array
        Rest of its server [USD/chip], on which the premium falls, too; not itself part of the answer.

    Notes
    -----
    A seller who hands over the share s of revenue and keeps his net price p asks p / (1 - s); of that surcharge
    p s / (1 - s) the part ``pass_through`` reaches the buyer. Duty and premium are taken on the official price:
    goods of the grey market pay no duty, and no chip so far has carried both a duty and a revenue share.

    Examples
    --------
    15 % of revenue, borne by the buyer, make a chip of 12,000 USD dearer by 12,000 x 0.15 / 0.85.

    >>> {k: round(v) for k, v in landed_chip(12_000.0, Border(revenue_share=0.15)).items() if v}
    {'chip': 12000, 'revenue share': 2118}
    """
    return {
        "chip": chip_usd,
        "revenue share": chip_usd
        * border.pass_through
        * border.revenue_share
        / (1.0 - np.asarray(border.revenue_share)),
        "duty": chip_usd * border.duty,
        "premium": (chip_usd + server_usd) * (border.grey_premium - 1.0),
    }
