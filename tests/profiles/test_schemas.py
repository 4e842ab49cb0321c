"""JSON Schemas: current, sound, and named in the first line of every file they describe."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.profiles.schemas import SCHEMA_FILES, schema_texts
from sim.profiles.shelves import SHELVES

ROOT = Path(__file__).parents[2]
CATALOGUE = Catalogue(here=ROOT)
SHIPPED = [(kind, id) for kind in SHELVES for id in CATALOGUE.ids(kind)]


@pytest.mark.parametrize("name", SCHEMA_FILES.values())
def test_schema_is_current(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == schema_texts()[name], "run: parity schema"


@pytest.mark.parametrize("text", schema_texts().values(), ids=SCHEMA_FILES.values())
def test_every_reference_resolves(text: str) -> None:
    schema = json.loads(text)
    for pointer in references(schema):
        assert pointer.removeprefix("#/$defs/") in schema["$defs"]


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [each for part in node.values() for each in references(part)]
    return [each for part in node for each in references(part)] if isinstance(node, list) else []


@pytest.mark.parametrize(("kind", "id"), SHIPPED, ids=[f"{kind}/{id}" for kind, id in SHIPPED])
def test_shipped_file_loads_and_names_its_schema(kind: str, id: str) -> None:
    try:
        document = CATALOGUE.document(kind, id)
    except InputError as error:
        pytest.fail(str(error), pytrace=False)
    path = CATALOGUE.path(kind, id)
    assert path is not None
    assert document.id == path.stem
    schema = os.path.relpath(ROOT / SCHEMA_FILES[type(document)], path.parent)
    assert path.read_text(encoding="utf-8").splitlines()[0] == f"# yaml-language-server: $schema={schema}"
