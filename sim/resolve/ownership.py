"""What owning a chip costs as plain numbers."""

from __future__ import annotations

from sim.economics.ownership import Ownership
from sim.profiles.economy import Region
from sim.profiles.hardware import ChipProfile, SystemProfile
from sim.quantity import Quantity
from sim.resolve.world import MEDIAN, World


def resolve_ownership(
    chip: ChipProfile, system: SystemProfile, region: Region, world: World = MEDIAN
) -> Ownership:
    """Prices and habits behind one chip of a system in a region.

    What nobody has published is NaN, and so is every cost that rests on it; see :func:`unknown_prices`.
    """
    known = {
        name: float("nan") if quantity is None or quantity.is_unknown else world(quantity)
        for name, (_, _, quantity) in _prices(chip, system, region).items()
    }
    stated = {
        name: world(quantity) for name, quantity in _habits(system, region).items() if quantity is not None
    }
    return Ownership(
        peak_power_w=world(chip.power.tdp) + world(system.power.server) + world(system.power.network),
        pue=world(region.pue),
        depreciation=region.depreciation,
        **known,
        **stated,
    )


def _habits(system: SystemProfile, region: Region) -> dict[str, Quantity | None]:
    """Fields of :class:`Ownership` that a file may leave out, where the default of the class holds."""
    return {
        "storage_usd": system.price.storage,
        "spares_per_s": region.spares,
        "software_per_s": region.software,
        "cooling_share": region.cooling,
        "residual": region.residual,
        "value_loss_per_s": region.value_loss,
        "revenue_share": region.revenue_share,
        "pass_through": region.pass_through,
    }


def unknown_prices(chip: ChipProfile, system: SystemProfile, region: Region) -> dict[str, list[str]]:
    """Keys that no cost of owning can be given without and that have no value, by file."""
    missing: dict[str, list[str]] = {}
    for file, key, quantity in _prices(chip, system, region).values():
        if quantity is None or quantity.is_unknown:
            missing.setdefault(file, []).append(key)
    return missing


def _prices(
    chip: ChipProfile, system: SystemProfile, region: Region
) -> dict[str, tuple[str, str, Quantity | None]]:
    """Fields of :class:`Ownership` that are money or how it is counted: where each stands, and its value."""
    chips, systems = f"chips/{chip.id}.yaml", f"systems/{system.id}.yaml"
    places = f"economics/{region.id}.yaml"
    return {
        "chip_usd": (chips, "price", chip.price),
        "server_usd": (systems, "price.server", system.price.server),
        "network_usd": (systems, "price.network", system.price.network),
        "facility_usd_per_w": (places, "facility", region.facility),
        "electricity_usd_per_j": (places, "electricity", region.electricity),
        "cost_of_capital_per_s": (places, "cost_of_capital", region.cost_of_capital),
        "hardware_life_s": (places, "hardware_life", region.hardware_life),
        "facility_life_s": (places, "facility_life", region.facility_life),
        "maintenance_per_s": (places, "maintenance", region.maintenance),
        "staff_per_s": (places, "staff", region.staff),
        "duty": (places, "duty", region.duty),
        "grey_premium": (places, "grey_premium", region.grey_premium),
    }
