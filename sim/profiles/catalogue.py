"""The catalogue: finds, checks and keeps every file that a question needs, and remembers what it read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from sim.profiles.changes import Change, changed
from sim.profiles.economy import Region
from sim.profiles.extends import read_extended
from sim.profiles.fields import Document
from sim.profiles.files import Loaded, check
from sim.profiles.hardware import ChipProfile, KernelProfile, SystemProfile
from sim.profiles.leaves import with_paths
from sim.profiles.messages import InputError, Location, Problem, dotted, shown_path, unknown_id
from sim.profiles.model import ModelProfile
from sim.profiles.price_series import RentalSeries
from sim.profiles.scenario import Scenario
from sim.profiles.served import PriceList
from sim.profiles.shelves import SHELVES, references
from sim.profiles.supply import Supply
from sim.profiles.supply_scenario import PolicyScenario
from sim.profiles.tree import Tree
from sim.profiles.workload import ServingTraffic, TrainingRecipe
from sim.units import did_you_mean

D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Root:
    """A place to look for files.

    Attributes
    ----------
    path : Path
        The folder.
    loose : bool
        Also look in ``chips/``, ``models/``, ... right below it, not only below ``hardware_profiles/`` and
        ``scenarios/``.
    """

    path: Path
    loose: bool = False

    def folders(self, kind: str) -> list[Path]:
        """Where files of a kind may stand."""
        shelf = SHELVES[kind]
        folders = [self.path / shelf.base / shelf.folder]
        return [*folders, self.path / shelf.folder] if self.loose else folders


def shipped_root() -> Path:
    """Folder of the data that come with the package: inside it in a wheel, beside it in a source checkout."""
    package = Path(__file__).parents[1]
    return package / "data" if (package / "data").is_dir() else package.parent


class Catalogue:
    """Files by id, from the first of these places that has one: here, beside the scenario, extra, shipped.

    Parameters
    ----------
    extra : sequence of Path
        Further folders: ``--profiles DIR``.
    here : Path, optional
        Where the user stands; the current directory by default.

    Raises
    ------
    InputError
        When an extra folder does not exist; and from every method, when a file is missing or wrong.
    """

    def __init__(self, extra: Sequence[Path] = (), here: Path | None = None) -> None:
        for folder in extra:
            if not folder.is_dir():
                raise InputError([Problem(f"--profiles {folder}: no such folder")])
        own = Root(here or Path.cwd())
        self._roots = [own, *(Root(folder, loose=True) for folder in extra), Root(shipped_root())]
        self._loaded: dict[tuple[str, str], Loaded[Document]] = {}
        self._files: dict[str, str] = {}
        self._changes: tuple[Change, ...] = ()

    def with_changes(self, changes: Sequence[Change]) -> Catalogue:
        """The same catalogue with some values put in the place of those in the files.

        Files that do not change are not read again.

        Raises
        ------
        InputError
            When a change names a file that does not exist.
        """
        other = copy(self)
        other._changes = (*self._changes, *changes)
        other._files = {}
        touched = {(kind, change.id) for change in changes for kind in self._kinds_of(change)}
        other._loaded = {
            key: loaded
            for key, loaded in self._loaded.items()
            if key not in touched and key[0] != "scenarios"
        }
        return other

    def unused_changes(self) -> tuple[Change, ...]:
        """Changes of files that nothing has asked for."""
        read = {(SHELVES[kind].folder, id) for kind, id in self._loaded}
        return tuple(c for c in self._changes if c.folder and (c.folder, c.id) not in read)

    def _kinds_of(self, change: Change) -> list[str]:
        """Shelves that the file of a change may stand on."""
        if not change.folder:
            return []
        kinds = [kind for kind, shelf in SHELVES.items() if shelf.folder == change.folder]
        if not kinds:
            folders = ", ".join(sorted({shelf.folder for shelf in SHELVES.values() if shelf.folder}))
            hint = self._elsewhere(change)
            raise InputError(
                [Problem(f"{change}: no folder {change.folder}/; {hint or f'there is {folders}'}")]
            )
        found = [kind for kind in kinds if self.path(kind, change.id) is not None]
        if not found:
            ids = sorted({id for kind in kinds for id in self.ids(kind)})
            raise InputError([Problem(f"{change}: {unknown_id(SHELVES[kinds[0]].noun, change.id, ids)}")])
        return found

    def _elsewhere(self, change: Change) -> str:
        """The path that was meant, where another folder has a file of that id."""
        folders = dict.fromkeys(
            shelf.folder
            for kind, shelf in SHELVES.items()
            if shelf.folder and self.path(kind, change.id) is not None
        )
        field = change.path.split("#", 1)[1]
        meant = [f"{folder}/{change.id}#{field}" for folder in folders]
        return f"did you mean {' or '.join(meant)}?" if meant else ""

    # --- by kind -------------------------------------------------------------------------------------------

    def chip(self, id: str) -> ChipProfile:
        """Chip profile."""
        return cast(ChipProfile, self.document("chips", id))

    def kernels(self, id: str) -> KernelProfile:
        """Kernel efficiencies."""
        return cast(KernelProfile, self.document("kernels", id))

    def system(self, id: str) -> SystemProfile:
        """Chips, servers and network as bought together."""
        return cast(SystemProfile, self.document("systems", id))

    def model(self, id: str) -> ModelProfile:
        """Model architecture."""
        return cast(ModelProfile, self.document("models", id))

    def workload(self, id: str) -> TrainingRecipe | ServingTraffic:
        """Training recipe or serving traffic, whichever the file says in ``kind_of_job``."""
        return cast("TrainingRecipe | ServingTraffic", self.document("workloads", id))

    def trace(self, traffic: ServingTraffic) -> Path:
        """Request trace that loaded traffic names; it is kept in ``files_read``.

        Raises
        ------
        InputError
            When no such file stands beside the traffic file, beside the scenario, or here.
        """
        tree = next(each.tree for each in self._loaded.values() if each.document is traffic)
        path = self._beside(tree, "trace")
        if path is None:
            raise InputError([self._no_trace(tree)])
        try:
            self._files.setdefault(self._name(path), hashlib.sha256(path.read_bytes()).hexdigest())
        except OSError as error:
            message = f"trace: {shown_path(path)} cannot be read ({(error.strerror or 'error').lower()})"
            raise InputError([Problem(message, tree.mark(("trace",)))]) from None
        return path

    def _beside(self, tree: Tree, key: str) -> Path | None:
        """File that a document names by a path: beside the file that says so, beside the scenario, here, or shipped."""
        place = tree.top[key]
        folders = [place.mark.file.parent, *(root.path for root in self._roots)]
        candidates = (folder / str(place.content) for folder in folders)
        return next((path for path in candidates if path.is_file()), None)

    @staticmethod
    def _no_trace(tree: Tree) -> Problem:
        place = tree.top["trace"]
        message = f'trace: no file "{place.content}" beside this one, beside the scenario, or where you stand'
        return Problem(message, place.mark)

    def region(self, id: str) -> Region:
        """Prices and habits of a place."""
        return cast(Region, self.document("regions", id))

    def rentals(self, chip: str) -> list[RentalSeries]:
        """Every rental series of a chip, by id; empty when there is none."""
        series = [cast(RentalSeries, self._load("rentals", id).document) for id in self.ids("rentals")]
        return [cast(RentalSeries, self.document("rentals", each.id)) for each in series if each.chip == chip]

    def price_list(self, id: str) -> PriceList:
        """What a provider asks for tokens."""
        return cast(PriceList, self.document("price-lists", id))

    def scenario(self, path_or_id: str | Path) -> Scenario:
        """A question, from a file or by id; files beside it are found before shipped ones."""
        return cast(Scenario, self._asked("scenarios", str(path_or_id)))

    def policy(self, path_or_id: str | Path) -> PolicyScenario:
        """A policy scenario, from a file or by id; files beside it are found before shipped ones."""
        return cast(PolicyScenario, self._asked("policies", str(path_or_id)))

    def supply(self, id: str) -> Supply:
        """How a country comes by its compute."""
        return cast(Supply, self.document("supply", id))

    def _asked(self, kind: str, path_or_id: str) -> Document:
        path = self._asked_path(kind, path_or_id)
        beside = Root(path.parent.resolve(), loose=True)
        if beside not in self._roots:
            self._roots.insert(1, beside)
        key = (kind, str(path))
        if key not in self._loaded:
            self._loaded[key] = self.read(kind, path)
        return self._used(self._loaded[key])

    def _asked_path(self, kind: str, path_or_id: str) -> Path:
        path = Path(path_or_id)
        if path.is_file():
            return path
        if path.is_dir():
            raise InputError([Problem(f"{path_or_id}: is a folder, where a file is expected")])
        if path.suffix in (".yaml", ".yml"):
            hint = did_you_mean(path.stem, self.ids(kind))
            raise InputError([Problem(f"{path_or_id}: no such file{hint}")])
        found = self.path(kind, path_or_id)
        if found is None:
            raise self._unknown(kind, path_or_id)
        return found

    # --- in general ----------------------------------------------------------------------------------------

    @property
    def files_read(self) -> tuple[tuple[str, str], ...]:
        """Every file that an answer rests on, with its SHA-256, in order; then what was put in the place of its values.

        Paths are relative to the place the file was found in, so that they are alike on every machine.
        """
        changes = ((str(each), hashlib.sha256(str(each).encode()).hexdigest()) for each in self._changes)
        return (*self._files.items(), *changes)

    def ids(self, kind: str) -> list[str]:
        """Ids of a kind: chips, kernels, systems, models, workloads, regions, rentals or scenarios."""
        folders = [folder for root in self._roots for folder in root.folders(kind) if folder.is_dir()]
        found = {path.stem: path for folder in reversed(folders) for path in folder.glob("*.yaml")}
        return sorted(id for id, path in found.items() if SHELVES[kind].holds(path))

    def path(self, kind: str, id: str) -> Path | None:
        """File of an id, if there is one."""
        for root in self._roots:
            for folder in root.folders(kind):
                candidate = folder / f"{id}.yaml"
                if candidate.is_file() and SHELVES[kind].holds(candidate):
                    return candidate
        return None

    def document(self, kind: str, id: str) -> Document:
        """The checked document of a kind and id; what it rests on is kept in ``files_read``."""
        return self.scenario(id) if kind == "scenarios" else self._used(self._load(kind, id))

    def glance(self, kind: str, id: str) -> Document:
        """The checked document of a kind and id, to see whether an answer needs it: it is not kept in ``files_read``."""
        return self._load(kind, id).document

    def error(self, document: Document, location: Location, message: str) -> InputError:
        """Error about a value of a loaded document, at its place in the file.

        Parameters
        ----------
        document : Document
            As this catalogue gave it.
        location : tuple of str and int
            Keys and indices, such as ``("jobs", 0, "workload")``.
        message : str
            What was read, what was expected, the likely fix.
        """
        tree = next(each.tree for each in self._loaded.values() if each.document is document)
        return InputError([Problem(message, tree.mark(location))])

    def _load(self, kind: str, id: str) -> Loaded[Document]:
        key = (kind, id)
        if key not in self._loaded:
            path = self.path(kind, id)
            if path is None:
                raise self._unknown(kind, id)
            self._loaded[key] = self.read(kind, path)
        return self._loaded[key]

    def read(self, kind: str, path: Path) -> Loaded[Document]:
        """Check one file and that what it names exists, wherever it stands; it is not kept."""
        shelf = SHELVES[kind]
        tree = read_extended(path, lambda id: self.path(kind, id))
        tree = changed(tree, [c for c in self._changes if self._meant(c, kind, path)])
        document = check(tree, shelf.model_for(tree))
        problems = [
            Problem(f"{dotted(location)}: {self._unknown(other, id)}", tree.mark(location))
            for location, other, id in references(document)
            if self.path(other, id) is None
        ]
        if isinstance(document, ServingTraffic) and document.trace and self._beside(tree, "trace") is None:
            problems.append(self._no_trace(tree))
        if problems:
            raise InputError(problems)
        return Loaded(with_paths(document, shelf.folder or "scenarios", tree), tree)

    @staticmethod
    def _meant(change: Change, kind: str, path: Path) -> bool:
        return change.folder == SHELVES[kind].folder and change.id in ("", path.stem)

    def _unknown(self, kind: str, id: str) -> InputError:
        return InputError([Problem(unknown_id(SHELVES[kind].noun, id, self.ids(kind)))])

    def _used(self, loaded: Loaded[D]) -> D:
        for path, digest in loaded.tree.files:
            self._files.setdefault(self._name(path), digest)
        return loaded.document

    def _name(self, path: Path) -> str:
        resolved = path.resolve()
        for root in sorted(self._roots, key=lambda each: (each.loose, -len(each.path.resolve().parts))):
            if resolved.is_relative_to(root.path.resolve()):
                return resolved.relative_to(root.path.resolve()).as_posix()
        return shown_path(path)
