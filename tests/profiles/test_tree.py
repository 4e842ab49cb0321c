"""YAML 1.2 as read: plain values, and places."""

from pathlib import Path

from sim.profiles.extends import overlay
from sim.profiles.tree import read_tree

TEXT = """\
whole: 1_000
octal: 0o17
hexadecimal: 0xff
real: 16e12
nothing: ~
truth: true
word: yes
date: 2025-06-01
month: 2025-06
list: [1, two]
block:
  inner: "a: b"
"""


def test_values_and_places(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(TEXT)
    tree = read_tree(path)
    assert tree.root.plain() == {
        "whole": 1000,
        "octal": 15,
        "hexadecimal": 255,
        "real": 16e12,
        "nothing": None,
        "truth": True,
        "word": "yes",  # a word since YAML 1.2
        "date": "2025-06-01",
        "month": "2025-06",
        "list": [1, "two"],
        "block": {"inner": "a: b"},
    }
    inner = tree.root.walk(("block", "inner"))[0]
    assert (inner.key.line, inner.key.column, inner.mark.line, inner.mark.column) == (12, 3, 12, 10)
    entry = tree.root.walk(("list", 1))[0]
    assert (entry.mark.line, entry.mark.column) == (10, 11)


def test_overlay_keeps_places(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("a: {x: 1, y: 2}\nl: [1, 2]\ng: [{id: p, v: 1}, {id: q, v: 2}]\nz: 1\n")
    new.write_text("a: {y: 3}\nl: [9]\ng: [{id: q, v: 5}]\nz:\n")
    merged = overlay(read_tree(old).root, read_tree(new).root)
    assert merged.plain() == {
        "a": {"x": 1, "y": 3},
        "l": [9],
        "g": [{"id": "p", "v": 1}, {"id": "q", "v": 5}],
    }
    files = [
        merged.walk(where)[0].mark.file for where in (("a", "x"), ("a", "y"), ("g", 0, "v"), ("g", 1, "v"))
    ]
    assert files == [old, new, old, new]
