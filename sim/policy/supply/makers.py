"""Makers of chips: dies and memory stacks become packages, and the scarcest input says how many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply.series import Matrix

INPUTS = ("logic dies", "packaging", "HBM")
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Product:
    """One chip of a maker.

    Attributes
    ----------
    chip : str
        Id of the chip.
    weight : (quarters, draws) array
        Its share of the maker's packages, relative to the other products.
    dies, stacks : float
        Logic dies and HBM stacks in one package.
    banked : bool
        Whether dies of the die bank fit into it.
    """

    chip: str
    weight: Matrix
    dies: float
    stacks: float
    banked: bool = True


@dataclass(frozen=True, slots=True)
class Maker:
    """A maker of chips, by quarter and draw.

    Attributes
    ----------
    dies : (quarters, draws) array
        Working dies out of wafers started in a quarter [die/quarter].
    fab_lead : (quarters, draws) array
        From wafer start to tested die [quarter].
    bought_dies : (quarters, draws) array
        Dies that another foundry delivers through intermediaries [die/quarter].
    banked_dies : (draws,) array
        Such dies at hand at the start [die].
    packaging : (quarters, draws) array
        Packages that can be finished [chip/quarter].
    build_lead : (quarters, draws) array
        From package to delivered server [quarter].
    die_store, first_dies : (draws,) array
        Packaging for which it keeps dies of its own at most, those in the fab included, and has them at the start
        [quarter].
    """

    name: str
    products: tuple[Product, ...]
    dies: Matrix
    fab_lead: Matrix
    bought_dies: Matrix
    banked_dies: Vector
    packaging: Matrix
    build_lead: Matrix
    die_store: Vector
    first_dies: Vector

    def mix(self, quarter: int) -> Vector:
        """Share of each product in the packages of a quarter, (products, draws); sums to one, or is all zero."""
        weights = np.stack([product.weight[quarter] for product in self.products])
        whole = weights.sum(axis=0)
        return np.divide(weights, whole, out=np.zeros_like(weights), where=whole > 0)

    def per_package(self, quarter: int) -> tuple[Vector, Vector, Vector]:
        """Dies, dies that could come from the bank, and stacks in the mean package of a quarter, (draws,) each."""
        mix = self.mix(quarter)
        dies = np.array([product.dies for product in self.products])
        banked = np.array([product.dies * product.banked for product in self.products])
        stacks = np.array([product.stacks for product in self.products])
        return dies @ mix, banked @ mix, stacks @ mix


@dataclass(frozen=True, slots=True)
class Packed:
    """What a quarter's packaging did.

    Attributes
    ----------
    packages : (makers, draws) array
    bank_share : (makers, draws) array
        Share of the dies that came from the die bank, among the products that they fit.
    dies_used, bank_used : (makers, draws) array
        Dies taken from the maker's own stock and from the bank [die].
    stacks_used : (draws,) array
    binding : (makers, draws) int array
        Index into ``INPUTS``.
    """

    packages: Vector
    bank_share: Vector
    dies_used: Vector
    bank_used: Vector
    stacks_used: Vector
    binding: NDArray[np.int64]


def pack(
    makers: Sequence[Maker], quarter: int, own_dies: Vector, bank_dies: Vector, stacks: Vector
) -> Packed:
    """Packages of one quarter.

    Parameters
    ----------
    own_dies, bank_dies : (makers, draws) array
        Dies at hand [die].
    stacks : (draws,) array
        HBM stacks at hand, shared by all makers [stack].

    Notes
    -----
    Each maker could finish the smaller of what its dies and its packaging allow. Where the stacks do not suffice for all,
    every maker is cut by the same share. The bank is used first: those dies were bought to be used, and yield better.

    Examples
    --------
    >>> ones = np.ones((1, 1))
    >>> product = Product("x", ones, dies=2, stacks=8)
    >>> maker = Maker("m", (product,), ones, ones, ones, np.zeros(1), 100 * ones, ones, 4 * ones[0], ones[0])
    >>> done = pack([maker], 0, np.array([[500.0]]), np.array([[40.0]]), np.array([400.0]))
    >>> done.packages.tolist(), INPUTS[done.binding[0, 0]], done.bank_share.tolist()
    ([[50.0]], 'HBM', [[0.4]])
    """
    needs = [maker.per_package(quarter) for maker in makers]
    dies_each, banked_each, stacks_each = (np.stack(column) for column in zip(*needs, strict=True))
    packaging = np.stack([maker.packaging[quarter] for maker in makers])
    only_own = dies_each - banked_each
    by_all = _over(own_dies + bank_dies, dies_each, 0.0)
    by_dies = np.minimum(by_all, _over(own_dies, only_own, np.inf))
    possible = np.minimum(by_dies, packaging)
    need = (possible * stacks_each).sum(axis=0)
    granted = np.minimum(1.0, np.divide(stacks, need, out=np.ones_like(need), where=need > 0))
    packages = np.where(stacks_each > 0, granted, 1.0) * possible
    used = packages * dies_each
    fitting = packages * banked_each
    from_bank = np.minimum(fitting, bank_dies)
    binding = np.where(by_dies <= packaging, INPUTS.index("logic dies"), INPUTS.index("packaging"))
    short = (granted < 1.0) & (stacks_each > 0)
    return Packed(
        packages=packages,
        bank_share=_over(from_bank, fitting, 0.0),
        dies_used=used - from_bank,
        bank_used=from_bank,
        stacks_used=(packages * stacks_each).sum(axis=0),
        binding=np.where(short, INPUTS.index("HBM"), binding),
    )


def _over(amount: Vector, each: Vector, otherwise: float) -> Vector:
    return np.divide(amount, each, out=np.full_like(amount, otherwise), where=each > 0)


def by_product(maker: Maker, quarter: int, packages: Vector) -> Mapping[str, Vector]:
    """Packages of a maker by chip, (draws,) each."""
    mix = maker.mix(quarter)
    return {product.chip: mix[i] * packages for i, product in enumerate(maker.products)}
