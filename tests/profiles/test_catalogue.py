"""The catalogue: where it looks, what it keeps, and how it names every number."""

import hashlib
import shutil
from pathlib import Path

import pytest

from sim.profiles import catalogue as catalogue_module
from sim.profiles.catalogue import Catalogue
from sim.profiles.leaves import document_sources, quantities
from sim.profiles.messages import InputError

DATA = Path(__file__).parents[1] / "data" / "catalogue"


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty current directory, with the test catalogue as the shipped data."""
    monkeypatch.setattr(catalogue_module, "shipped_root", lambda: DATA)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def changed_chip(folder: Path, price: str) -> None:
    folder.mkdir(parents=True)
    text = (DATA / "hardware_profiles/chips/test-chip.yaml").read_text()
    (folder / "test-chip.yaml").write_text(text.replace("price: unknown", f"price: {price}"))


def test_shipped_files_are_found(empty: Path) -> None:
    chip = Catalogue().chip("test-chip")
    assert chip.memory.bandwidth.value == 3.35e12
    assert chip.price is not None
    assert chip.price.is_unknown


def test_the_nearest_file_wins(empty: Path) -> None:
    def price(extra: list[Path]) -> float:
        found = Catalogue(extra).chip("test-chip").price
        assert found is not None
        return found.value

    changed_chip(empty / "loose" / "chips", "2000 USD")
    assert price([empty / "loose"]) == 2000  # an extra folder before the shipped one
    changed_chip(empty / "whole" / "hardware_profiles" / "chips", "3000 USD")
    assert price([empty / "whole", empty / "loose"]) == 3000
    changed_chip(empty / "hardware_profiles" / "chips", "4000 USD")
    assert price([empty / "loose"]) == 4000  # the current directory before everything


def test_files_beside_the_scenario_are_found(empty: Path) -> None:
    folder = empty / "study"
    changed_chip(folder / "chips", "5000 USD")
    shutil.copy(DATA / "scenarios" / "test-question.yaml", folder)
    catalogue = Catalogue()
    catalogue.scenario(folder / "test-question.yaml")
    price = catalogue.chip("test-chip").price
    assert price is not None
    assert price.value == 5000
    assert catalogue.files_read[0][0] == "study/test-question.yaml"


def test_ids(empty: Path) -> None:
    catalogue = Catalogue()
    assert catalogue.ids("chips") == ["test-chip"]
    # Regions and rental series share a folder; their files say which they are.
    assert catalogue.ids("regions") == ["test-region", "test-region-grey"]
    assert catalogue.ids("rentals") == ["test-rent"]
    assert catalogue.ids("scenarios") == ["test-question", "test-variant"]


def test_documents_are_read_once(empty: Path) -> None:
    catalogue = Catalogue()
    assert catalogue.chip("test-chip") is catalogue.chip("test-chip")
    assert catalogue.scenario("test-question") is catalogue.scenario("test-question")


def test_files_read_in_order_with_their_hash(empty: Path) -> None:
    catalogue = Catalogue()
    catalogue.scenario("test-variant")
    catalogue.model("test-model")
    catalogue.model("test-model")
    names = [
        "scenarios/test-variant.yaml",
        "scenarios/test-question.yaml",
        "scenarios/models/test-model.yaml",
    ]
    expected = [(name, hashlib.sha256((DATA / name).read_bytes()).hexdigest()) for name in names]
    assert list(catalogue.files_read) == expected


def test_extends_changes_a_few_lines(empty: Path) -> None:
    scenario = Catalogue().scenario("test-variant")
    assert (scenario.id, scenario.name) == ("test-variant", "Test question")
    assert scenario.clusters["a"].chips == 800  # inherited
    assert (scenario.clusters["b"].chips, scenario.clusters["b"].system) == (1600, "test-system")
    jobs = [(job.id, job.label, job.workload) for job in scenario.jobs]
    assert jobs == [
        ("train", "", "test-training"),
        ("chat", "Talk", "test-training"),
        ("more", "", "test-training"),
    ]
    assert scenario.slogan == ""  # set to nothing: taken away


def test_paths_name_every_number(empty: Path) -> None:
    catalogue = Catalogue()
    assert catalogue.chip("test-chip").compute.matrix["fp8"].path == "chips/test-chip#compute.matrix.fp8"
    tiers = [path for path in quantities(catalogue.system("test-system")) if "bandwidth" in path]
    # Tiers go by name and quotes by date, a repeated date by its number as well.
    assert tiers == [f"systems/test-system#tiers.{name}.bandwidth" for name in ("inside", "outside")]
    (series,) = catalogue.rentals("test-chip")
    quotes = ["2025-01", "2025-01-1", "2025-06"]
    assert list(quantities(series)) == [f"economics/test-rent#quotes.{name}.price" for name in quotes]
    assert catalogue.rentals("another-chip") == []


def test_a_number_inherits_from_its_file(empty: Path) -> None:
    chip = Catalogue().chip("test-chip")
    bf16, fp8 = chip.compute.matrix["bf16"], chip.compute.matrix["fp8"]
    assert (bf16.source, bf16.kind, bf16.as_of, bf16.unit) == ("sheet", "official", "2025-03", "TFLOP/s")
    assert (fp8.source, fp8.kind, fp8.as_of, fp8.note) == ("talk", "press", "2025-04", "said on stage")
    assert (fp8.low, fp8.high) == (180e12, 200e12)
    talk = document_sources(chip)[fp8.path]
    assert talk is not None
    assert talk.title == "A talk"


def test_what_is_inherited_stays_the_same_number(empty: Path) -> None:
    catalogue = Catalogue()
    base, grey = catalogue.region("test-region"), catalogue.region("test-region-grey")
    # Drawn once for both, with the provenance it has where it is written.
    assert grey.pue == base.pue
    assert grey.pue.path == "economics/test-region#pue"
    assert (grey.pue.source, grey.pue.kind, grey.pue.as_of) == ("", "assumed", "")
    # A new value is a new number: the old range and source say nothing about it.
    assert grey.electricity.path == "economics/test-region-grey#electricity"
    assert (grey.electricity.source, grey.electricity.kind, grey.electricity.low) == ("report", "press", None)
    assert grey.maintenance.path == "economics/test-region-grey#maintenance"


def test_workload_by_its_kind(empty: Path) -> None:
    assert Catalogue().workload("test-training").kind_of_job == "training"


def test_error_at_a_value(empty: Path) -> None:
    catalogue = Catalogue()
    scenario = catalogue.scenario("test-variant")
    error = catalogue.error(scenario, ("jobs", 0, "workload"), "too long")
    (problem,) = error.problems
    assert problem.mark is not None
    # The first job comes from the extended file.
    assert (problem.mark.file.name, problem.mark.line, problem.mark.column) == ("test-question.yaml", 8, 46)


def test_a_file_without_its_tag_says_so(empty: Path) -> None:
    folder = empty / "scenarios" / "economics"
    folder.mkdir(parents=True)
    (folder / "mars.yaml").write_text("id: mars\nname: Mars\nkind_of_file: regoin\n")
    with pytest.raises(InputError, match=r'mars.yaml:3:15: kind_of_file: read "regoin"'):
        Catalogue().region("mars")
