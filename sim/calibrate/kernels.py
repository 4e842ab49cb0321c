"""``parity calibrate kernels``: tables in; fits, their errors and a kernel file out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sim.calibrate import page
from sim.calibrate.collectives import TierFit, fit_tiers
from sim.calibrate.fit import Fit, columns, fit_all
from sim.calibrate.lines import sha256
from sim.calibrate.samples import Sample, Transfer
from sim.calibrate.sizes import fit_sizes
from sim.calibrate.tables import Table, read_tables
from sim.physics.chip import Chip
from sim.physics.network import Tier
from sim.profiles.catalogue import Catalogue
from sim.profiles.hardware import KernelProfile
from sim.profiles.messages import InputError, Problem
from sim.resolve import resolve_chip, resolve_network

SOURCE = "kernel-table"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Attributes
    ----------
    tables : tuple of Path
        Tables of measured kernels.
    chip, software : str
        Only this chip, only software that holds this text; "" for all.
    base : str
        Kernel file that gives what the tables do not show; "" for the one the chip names.
    out, page : Path or None
        Kernel file and result page to write.
    title : str
        Who measured; "" for "Measured kernels".
    date : str
        Of the fit, where the tables carry none.
    """

    tables: tuple[Path, ...]
    chip: str = ""
    software: str = ""
    base: str = ""
    out: Path | None = None
    page: Path | None = None
    title: str = ""
    date: str = ""


def calibrate_kernels(catalogue: Catalogue, request: Request) -> list[str]:
    """Fit, write what was asked for, and give the lines to print.

    Raises
    ------
    InputError
        When a table, a chip or the choice of what to write is wrong.
    """
    table = _chosen(read_tables(list(request.tables)), request)
    rows: list[Sample | Transfer] = [*table.samples, *table.transfers]
    chips = list(dict.fromkeys(each.chip for each in rows))
    if not chips:
        raise InputError(
            [Problem("no row of the tables is left to fit; leave out --chip and --software to see all")]
        )
    origin = _origin(table, request)
    lines: list[str] = []
    body = [f"Tables: {_names(request.tables)}. Fitted on {request.date}.", ""]
    fitted = [_fitted(catalogue, id, table) for id in chips]
    for each in fitted:
        lines.append(each.heading)
        body += [f"## {each.heading}", ""]
        for head, cells in each.tables:
            lines += [*page.aligned(head, cells), ""]
            body += [*page.markdown(head, cells), ""]
        lines += _tier_lines(each.tiers, origin)
    for reason, count in table.left_out.items():
        lines.append(f"left out: {count} rows, {reason}")
        body.append(f"- {count} rows left out: {reason}.")
    if request.out:
        lines.append(_write(catalogue, request, chips, fitted[-1].fits, origin, request.out))
    if request.page:
        page.write_page(request.page, body)
        lines.append(f"wrote {request.page}")
    return lines


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What the tables say of one chip: its fits, and the rows of the tables that show them, those without rows left out."""

    heading: str
    fits: list[Fit]
    tiers: list[tuple[TierFit, Tier]]
    tables: list[tuple[tuple[str, ...], list[tuple[str, ...]]]]


def _fitted(catalogue: Catalogue, id: str, table: Table) -> _Fitted:
    """Fit a chip, and count the rows that were too few for it as left out."""
    samples = _of(id, table.samples)
    chip = _chip(catalogue, id, samples)
    fits, tiers = fit_all(samples, chip), _tiers(catalogue, id, table)
    table.left_out.update(_too_few(samples, fits))
    shown = [
        (page.KERNEL_HEAD, [page.kernel_cells(_compared(each, chip, samples)) for each in fits]),
        (page.SIZE_HEAD, [page.size_cells(each) for each in fit_sizes(samples, chip)]),
        (page.TIER_HEAD, [page.tier_cells(*each) for each in tiers]),
    ]
    return _Fitted(f"{chip.name} ({id})", fits, tiers, [(head, rows) for head, rows in shown if rows])


def _chosen(table: Table, request: Request) -> Table:
    def wanted(each: Sample | Transfer) -> bool:
        return request.chip in ("", each.chip) and request.software.lower() in each.software.lower()

    samples = [each for each in table.samples if wanted(each)]
    return replace(table, samples=samples, transfers=[each for each in table.transfers if wanted(each)])


def _of(chip: str, samples: Iterable[Sample]) -> list[Sample]:
    return [each for each in samples if each.chip == chip]


def _chip(catalogue: Catalogue, id: str, samples: Iterable[Sample]) -> Chip:
    profile = catalogue.chip(id)
    chip = resolve_chip(profile, catalogue.kernels(profile.kernels))
    for precision in sorted({each.precision for each in _of(id, samples)} - set(chip.matrix_peak)):
        message = (
            f"the table has {precision} rows, but {id} has no {precision} peak; add it to compute.matrix"
        )
        raise InputError([Problem(message)])
    return chip


def _too_few(samples: Iterable[Sample], fits: Iterable[Fit]) -> Counter[str]:
    fitted = {(fit.family, fit.precision) for fit in fits}
    rows = Counter((each.family, each.precision) for each in samples)
    return Counter(
        {f"too few to fit: {' '.join(key)}": count for key, count in rows.items() if key not in fitted}
    )


def _compared(fit: Fit, chip: Chip, samples: Iterable[Sample]) -> page.Compared:
    rows = [
        each
        for each in _of(fit.chip, samples)
        if (each.family, each.precision) == (fit.family, fit.precision)
        and fit.software in ("", each.software)
    ]
    shipped = chip.curve(fit.family, fit.precision)
    errors = np.abs(columns(rows, chip).errors(shipped))
    return page.Compared(fit, shipped, float(np.median(errors)), float(np.quantile(errors, 0.9)))


def _tiers(catalogue: Catalogue, chip: str, table: Table) -> list[tuple[TierFit, Tier]]:
    """Fits of the innermost tier that holds all members, beside what ships for it."""
    transfers = [each for each in table.transfers if each.chip == chip]
    if not transfers:
        return []
    members = max(each.members for each in transfers)
    systems = [catalogue.system(id) for id in catalogue.ids("systems")]
    own = [each for each in systems if each.chip == chip]
    if not own:
        raise InputError(
            [Problem(f"the table has collectives of {chip}, but no system file holds that chip")]
        )
    tier = next(each for each in resolve_network(own[0]).tiers if each.size >= members)
    return [(fit, tier) for fit in fit_tiers(transfers, float(np.asarray(tier.bandwidth)))]


def _tier_lines(tiers: list[tuple[TierFit, Tier]], origin: page.Origin) -> list[str]:
    lines: list[str] = []
    for fit, tier in tiers:
        if fit.operation == "rings":
            lines += [
                f"# {fit.software}, for the tier {tier.name} of the system file:",
                *page.tier_block(fit, origin),
                "",
            ]
    return lines


def _names(tables: Iterable[Path]) -> str:
    return ", ".join(f"{each.name} (sha256 {sha256(each)[:16]})" for each in tables)


def _origin(table: Table, request: Request) -> page.Origin:
    title = (
        f"{request.title or 'Measured kernels'}: {_names(request.tables)}, fitted by parity calibrate kernels"
    )
    return page.Origin(SOURCE, title.replace('"', "'"), max(table.dates, default=request.date))


def _write(
    catalogue: Catalogue, request: Request, chips: list[str], fits: list[Fit], origin: page.Origin, out: Path
) -> str:
    if len(chips) > 1:
        raise InputError(
            [Problem(f"--out holds one chip, the tables hold {', '.join(chips)}; choose with --chip ID")]
        )
    profile = catalogue.chip(chips[0])
    base = request.base or profile.kernels
    known = catalogue.kernels(base)
    if base == out.stem:
        message = (
            f"--out {out}: a file cannot extend itself; choose another name, or --base with another file"
        )
        raise InputError([Problem(message)])
    whole = {(fit.family, fit.precision): fit for fit in fits}  # the last of each is the joint one
    kept = [fit for fit in whole.values() if fit.ranges and _complete(fit, known)]
    if not kept:
        raise InputError([Problem("the tables do not show enough of any kernel curve to write one")])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page.kernel_file(out.stem, profile.name, base, kept, origin), encoding="utf-8")
    curves = "one curve" if len(kept) == 1 else f"{len(kept)} curves"
    return f"wrote {out}: {curves} of {chips[0]}; the rest from {base}"


def _complete(fit: Fit, base: KernelProfile) -> bool:
    """Whether the base has what the table does not show of a curve."""
    return fit.precision in getattr(base, fit.family) or {"compute", "bandwidth", "overhead"} <= set(
        fit.ranges
    )
