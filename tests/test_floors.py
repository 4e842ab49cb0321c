"""The house stands: nothing imports upward, and there are no cycles."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "sim"

# Floor of each room (docs/architecture.md). The first matching prefix counts.
FLOORS = [
    ("sim.cli", 6), ("sim.api", 6), ("sim.notebook", 6), ("sim.views", 6), ("sim.commands", 6),
    ("sim.study", 5), ("sim.calibrate", 5), ("sim.resolve", 4),
    ("sim.profiles", 3), ("sim.training", 3), ("sim.serving", 3), ("sim.layout", 2),
    ("sim.physics", 1), ("sim.economics", 1), ("sim.policy", 1), ("sim.report", 1), ("sim.units", 1), ("sim.quantity", 1),
]  # fmt: skip
# Rooms of one floor that may know each other, besides their own modules.
NEIGHBOURS = {"sim.profiles": {"sim.units", "sim.quantity", "sim.physics.architecture"}}
# Third-party modules that physics must never see.
NOT_FOR_PHYSICS = {
    "pint",
    "ruamel",
    "pydantic",
    "pandas",
    "simpy",
    "random",
    "time",
    "datetime",
    "pathlib",
    "os",
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Modules that a file imports anywhere, functions included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = {module_name(path): imports(path) for path in sorted(ROOT.rglob("*.py"))}
OWN = {
    name: {other for other in used if other in MODULES and other != name} for name, used in MODULES.items()
}


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def floor(module: str) -> int:
    if module == "sim":
        return 6
    return next(level for prefix, level in FLOORS if module == prefix or module.startswith(prefix + "."))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_imports_upward(module: str) -> None:
    for other in OWN[module] - {"sim"}:
        if room(other) == room(module):
            continue
        allowed = (
            floor(other) < floor(module)
            or (floor(module) == 6 and floor(other) == 6)
            or other in {"sim.quantity", "sim.units"}
        )
        assert allowed, f"{module} (floor {floor(module)}) imports {other} (floor {floor(other)})"
        if room(module) in NEIGHBOURS:
            assert other in NEIGHBOURS[room(module)], f"{module} may not know {other}"


def test_no_cycles() -> None:
    # Packages are imported on the way to their modules; only real uses count.
    graph = {
        name: {other for other in used if not any(other + "." in x for x in used)}
        for name, used in OWN.items()
    }
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.startswith("sim.physics")))
def test_physics_sees_only_numbers(module: str) -> None:
    assert not {used.split(".")[0] for used in MODULES[module]} & NOT_FOR_PHYSICS
