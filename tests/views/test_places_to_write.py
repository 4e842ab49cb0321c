"""A place that cannot be written to is refused before the work, and leaves nothing behind."""

import errno
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sim import cli
from sim.profiles.messages import InputError
from sim.views.output import check_file, check_folder

PROC = Path("/proc/self")
needs_proc = pytest.mark.skipif(not PROC.is_dir(), reason="no /proc here, where nobody may write")


@needs_proc
def test_who_may_do_everything_still_cannot_write_everywhere() -> None:
    # The superuser passes every check of permissions; only writing shows.
    with pytest.raises(InputError, match=r"--out /proc/xyz: nothing can be written there"):
        check_folder(Path("/proc/xyz"))


@needs_proc
@pytest.mark.parametrize(
    "words", [("run",), ("compare", "--set", "clusters.a.chips=8000"), ("equal",), ("capacity",)]
)
def test_commands_find_out_before_they_work(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("worked first")

    for module, name in (
        ("sim.api", "run_scenario"),
        ("sim.views.compare", "changes"),
        ("sim.views.equal", "equal_answer"),
        ("sim.views.capacity", "study_capacity"),
    ):
        monkeypatch.setattr(f"{module}.{name}", work)
    done = CliRunner().invoke(cli.app, [words[0], "ascend_20k_vs_h100_12k", *words[1:], "--out", "/proc/xyz"])
    assert done.exit_code == 2, done.exception
    assert done.stderr.startswith("--out /proc/xyz: ")
    assert done.stderr.count("\n") == 1


def test_nothing_stays_behind(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "kept").mkdir()
    check_folder(tmp_path / "kept")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sim.views.output.TemporaryFile", full)
    with pytest.raises(InputError, match="no space left on device"):
        check_folder(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--trace .*: is a folder; name a file"):
        check_file(tmp_path, "--trace")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--trace .*is a file; name a folder"):
        check_file(tmp_path / "file" / "trace.json", "--trace")
    check_file(tmp_path / "trace.json", "--trace")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_the_place_of_a_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dirx.yaml").mkdir()
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, ["run", "dirx.yaml"])
    assert (done.exit_code, done.stderr) == (2, "dirx.yaml: is a folder, where a file is expected\n")
