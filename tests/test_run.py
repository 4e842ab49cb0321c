"""`parity run` from end to end, as somebody would use it who trusts nobody."""

import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner, Result

from sim import cli
from sim.profiles.catalogue import Catalogue, shipped_root
from sim.report import outputs
from sim.study import events as events_module
from sim.study import run as run_module
from sim.study.question import Question
from sim.study.run import ScenarioRun, run_scenario
from sim.study.summary import sensitivity as sensitivity_module
from sim.study.summary.sensitivity import Swings

ROOT = Path(__file__).parents[1]
QUESTION = """\
id: small
name: A small question
question: 512 H20 or 256 H100?
slogan: 512 H20 do the work of 256 H100
clusters:
  a: {label: H20, system: hgx-h20-8, chips: 512, region: china, start: 2026-12-01}
  b: {label: H100, system: hgx-h100-8, chips: 256, region: us, start: 2026-12-01}
jobs:
  - {id: train, label: Train a small model, model: qwen3-30b-a3b, workload: pretrain-v3}
  - {id: chat, label: Chat on a small model, model: qwen3-30b-a3b, workload: chat}
uncertainty: {draws: 8, seed: 1, event_draws: 1}
"""
SERVING = re.sub(r"  - \{id: train.*\n", "", QUESTION)
COMMAND = ("run", "small.yaml", "--out", "out")

Typed = Callable[..., Result]


@pytest.fixture(scope="module", autouse=True)
def quick() -> object:
    """Fewer worlds and requests, and no look at published runs: these have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sensitivity_module, "SAMPLES", 8)
        patch.setattr(events_module, "REQUESTS", 3000)
        patch.setattr(run_module, "_validation", lambda _: [])
        yield


def answer(folder: Path, text: str, **options: int) -> ScenarioRun:
    """Result of a scenario file with this text, without its report and without what moves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "swings", unmoved)
        return run_scenario(Catalogue(here=folder), folder / "small.yaml", **options)  # type: ignore[arg-type]


def unmoved(question: Question, _: object) -> Swings:
    """As if no input moved the answer: for tests that are not about what does."""
    count = len(question.inputs)
    return Swings(1.0, np.ones(count), np.ones(count))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in this process."""
    home = tmp_path_factory.mktemp("first")
    (home / "small.yaml").write_text(QUESTION)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        done = CliRunner().invoke(cli.app, COMMAND)
    assert done.exit_code == 0, done.output
    (home / "stdout.txt").write_text(done.stdout)
    return home


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run in another process, elsewhere, with another hash seed, zone, language and screen."""
    home = tmp_path_factory.mktemp("second")
    (home / "small.yaml").write_text(QUESTION)
    code = """
        import sim.cli, sim.study.events, sim.study.run, sim.study.summary.sensitivity
        sim.study.summary.sensitivity.SAMPLES = 8
        sim.study.events.REQUESTS = 3000
        sim.study.run._validation = lambda _: []
        sim.cli.main()
    """
    surroundings = {
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Shanghai",
        "LC_ALL": "C",
        "COLUMNS": "40",
        "MPLBACKEND": "pdf",
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *COMMAND], cwd=home, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **surroundings},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (home / "stdout.txt").write_text(done.stdout)
    return home


@pytest.fixture(scope="module")
def results(first: Path) -> pd.DataFrame:
    return pd.read_csv(first / "out" / "results.csv")


def value(
    results: pd.DataFrame, job: str, metric: str, statistic: str = "p50", cluster: str = "a/b"
) -> float:
    chosen = results.query(
        "job == @job and metric == @metric and statistic == @statistic and cluster == @cluster"
    )
    assert len(chosen) == 1
    return float(chosen["value"].iloc[0])


# --- what is written ---------------------------------------------------------------------------------------


def test_every_file_is_there(first: Path) -> None:
    out = first / "out"
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF-")
    pages = sorted(out.glob("page-*.png"))
    assert len(pages) >= 5
    assert all(page.read_bytes().startswith(b"\x89PNG") for page in pages)
    names = {path.name for path in (out / "figures").iterdir()}
    assert {"parity.svg", "parity.png", "cost-ladder-chat.png", "timeline-train.svg"} <= names
    for name in ("results.csv", "results.parquet", "results.xlsx", "draws.parquet", "run.json"):
        assert (out / name).stat().st_size > 0
    assert not list(out.rglob("*.part"))


def test_the_terminal_says_the_answer_and_where_it_is(first: Path, results: pd.DataFrame) -> None:
    lines = (first / "stdout.txt").read_text().splitlines()
    assert lines[0] == "512 H20 or 256 H100?"
    middle = value(results, "train", "equal_count")
    assert lines[1].startswith(f"For pre-training, 512 H20 do the work of {middle:.0f} H100 (90 % interval ")
    assert any("out/report.pdf" in line for line in lines)
    assert all((first / "out" / name).is_file() for name in ("report.pdf", "results.csv"))


def test_tables_hold_what_their_columns_say(first: Path, results: pd.DataFrame) -> None:
    assert list(results) == ["scenario", "job", "cluster", "label", "metric", "unit", "statistic", "value"]
    assert set(results["statistic"]) == {"p05", "p25", "p50", "p75", "p95"}
    assert set(results["scenario"]) == {"small"}
    labels = {"a": "H20", "b": "H100", "a/b": "H20 vs H100"}
    assert results.groupby("cluster")["label"].unique().map(list).to_dict() == {
        k: [v] for k, v in labels.items()
    }
    assert not results.duplicated(["cluster", "job", "metric", "statistic"]).any()
    assert results["unit"].notna().all()
    pd.testing.assert_frame_equal(results, pd.read_parquet(first / "out" / "results.parquet"))
    sheets = load_workbook(first / "out" / "results.xlsx", read_only=True).sheetnames
    assert {"answers", "jobs", "costs", "inputs"} <= set(sheets)


def test_quantiles_are_those_of_the_draws(first: Path, results: pd.DataFrame) -> None:
    draws = pd.read_parquet(first / "out" / "draws.parquet")
    assert list(draws) == ["scenario", "job", "cluster", "label", "metric", "unit", "draw", "value"]
    keys = ["job", "cluster", "label", "metric", "unit"]
    every = draws.groupby(keys)["value"]
    assert (every.size() == 8).all()
    for level, statistic in ((0.5, "p50"), (0.95, "p95")):
        found = results[results["statistic"] == statistic].set_index(keys)["value"]
        pd.testing.assert_series_equal(every.quantile(level).sort_index(), found.sort_index())


def test_the_first_page_can_be_made_of_the_draws(first: Path) -> None:
    # Cost, power and last day of every job: the numbers of page 1, and how they hang together.
    draws = pd.read_parquet(first / "out" / "draws.parquet")
    wide = draws.pivot(index=["job", "cluster", "draw"], columns="metric", values="value")
    train = wide.loc["train"].drop(index="a/b")
    # Both clusters start on 1 December 2026, which is day 20,788 after 1 January 1970.
    assert (pd.Timestamp("2026-12-01") - pd.Timestamp("1970-01-01")).days == 20_788
    np.testing.assert_allclose(train["end_date"], 20_788 + train["wall_time"])
    # Mean power over the length of the run is its energy: MW x days x 24 h = MWh.
    np.testing.assert_allclose(train["energy"] * 1e3, train["power"] * train["wall_time"] * 24)
    # 14.8T tokens: a run is 14.8 million times a million tokens.
    np.testing.assert_allclose(train["cost_amortised"], 14.8e6 * train["token_cost_amortised"])
    assert (
        wide.loc["chat"].drop(index="a/b")[["cost_amortised", "power", "throughput"]].notna().all(axis=None)
    )


def test_draws_hold_together(first: Path) -> None:
    draws = pd.read_parquet(first / "out" / "draws.parquet").pivot(
        index=["job", "draw"], columns=["cluster", "metric"], values="value"
    )
    ratio = draws["a/b"]["speed_ratio"]
    np.testing.assert_allclose(ratio, draws["a"]["throughput"] / draws["b"]["throughput"])
    # A fleet that serves grows by whole units that all do the same.
    np.testing.assert_allclose(draws["a/b"]["equal_count"].loc["chat"], 256 * ratio.loc["chat"])


def test_money_and_energy_by_hand(results: pd.DataFrame) -> None:
    # Energy of a run is its mean power times its length; median of a product against product of medians.
    days, megawatts = (value(results, "train", name, cluster="b") for name in ("wall_time", "power"))
    assert value(results, "train", "energy", cluster="b") == pytest.approx(
        megawatts * days * 24 / 1e3, rel=0.15
    )
    # 256 H100 at 0.7 kW with 0.5 kW around each and a PUE of 1.2 draw at most 0.37 MW.
    assert 0.1 < megawatts < 0.45
    # Tokens over tokens per second are seconds: 14.8T tokens.
    speed = value(results, "train", "throughput", cluster="b")
    assert days == pytest.approx(14.8e12 / speed / 86_400, rel=0.05)
    # Six times the active parameters (3.3B of 30B) per token, at best the whole FP8 peak of 256 x 1,979 TFLOP/s.
    assert speed < 256 * 1_979e12 / (6 * 3.0e9)


def test_run_file_tells_how_to_do_it_again(first: Path) -> None:
    record = json.loads((first / "out" / "run.json").read_text())
    identity = record["identity"]
    assert identity["command"] == "parity run small.yaml"
    assert (identity["seed"], identity["draws"], identity["scenario"]) == (1, 8, "small")
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", identity["version"])
    assert re.fullmatch(r"[0-9a-f]{12}", identity["inputs_hash"])
    files = dict(identity["files"])
    assert files["small.yaml"] == hashlib.sha256(QUESTION.encode()).hexdigest()
    named = ["hardware_profiles/chips/h20.yaml", "hardware_profiles/systems/hgx-h100-8.yaml",
             "hardware_profiles/kernels/hopper.yaml", "scenarios/models/qwen3-30b-a3b.yaml",
             "scenarios/workloads/chat.yaml", "scenarios/economics/us.yaml"]  # fmt: skip
    for name in named:
        assert files[name] == hashlib.sha256((shipped_root() / name).read_bytes()).hexdigest()
    for name, digest in record["outputs"].items():
        assert hashlib.sha256((first / "out" / name).read_bytes()).hexdigest() == digest


# --- the same again, and not the same ----------------------------------------------------------------------


def test_same_question_same_bytes(first: Path, second: Path) -> None:
    one, two = ({path.relative_to(home): path.read_bytes() for path in (home / "out").rglob("*") if path.is_file()}
                for home in (first, second))  # fmt: skip
    assert set(one) == set(two)
    assert [str(name) for name in one if one[name] != two[name]] == []
    assert (first / "stdout.txt").read_text() == (second / "stdout.txt").read_text()


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> ScenarioRun:
    """The serving job alone."""
    return answer(tmp_path_factory.mktemp("chat"), SERVING)


def test_another_seed_moves_the_draws_alone(chat: ScenarioRun, tmp_path: Path) -> None:
    other = answer(tmp_path, SERVING, seed=2)
    counts = [run.draws.query("metric == 'equal_count'")["value"].to_numpy() for run in (chat, other)]
    assert not np.any(counts[0] == counts[1])
    assert chat.content.identity.inputs_hash == other.content.identity.inputs_hash
    assert (chat.content.identity.seed, other.content.identity.seed) == (1, 2)
    # The ranges of both seeds lie on top of each other: they are draws of the same thing.
    one, two = chat.content.jobs[0].equal_count, other.content.jobs[0].equal_count
    assert one.p05 < two.p50 < one.p95
    assert two.p05 < one.p50 < two.p95


def test_one_changed_line_moves_the_answer(chat: ScenarioRun, tmp_path: Path) -> None:
    # Half the chips of A do half the work.
    half = answer(tmp_path / "half", SERVING.replace("chips: 512", "chips: 256"))
    base = chat.content.jobs[0].equal_count.p50
    assert half.content.jobs[0].equal_count.p50 == pytest.approx(base / 2, rel=0.1)
    # A stricter promise moves it, too, and the inputs are another set.
    (tmp_path / "strict" / "workloads").mkdir(parents=True)
    strict = "id: strict\nkind_of_job: serving\nextends: chat\nname: Strict\ntargets: {tpot: 15 ms}\n"
    (tmp_path / "strict" / "workloads" / "strict.yaml").write_text(strict)
    other = answer(tmp_path / "strict", SERVING.replace("workload: chat", "workload: strict"))
    assert other.content.jobs[0].equal_count.p50 != base
    assert len({run.content.identity.inputs_hash for run in (chat, half, other)}) == 3


def test_the_same_cluster_twice_is_worth_itself(tmp_path: Path) -> None:
    text = QUESTION.replace(
        "system: hgx-h20-8, chips: 512, region: china", "system: hgx-h100-8, chips: 256, region: us"
    )
    train, chat = answer(tmp_path, text).content.jobs
    for job in (train, chat):
        assert job.speed_ratio.p05 == job.speed_ratio.p95 == 1.0
    assert chat.equal_count.p05 == chat.equal_count.p95 == 256.0
    assert train.equal_count.p05 == pytest.approx(256.0, rel=0.02)
    assert train.equal_count.p95 == pytest.approx(256.0, rel=0.02)
    for job in (train, chat):
        assert job.equal_count_rounded == 256
        for view, cost in job.a.cost.items():
            assert cost == job.b.cost[view]
        # No cause separates the two.
        assert all(abs(part) < 1e-9 * job.gap[0][1] for _, part in job.gap[1:-1])


def test_one_draw(tmp_path: Path) -> None:
    job = answer(tmp_path, SERVING, draws=1).content.jobs[0]
    assert job.equal_count.p05 == job.equal_count.p95 > 0


# --- mistakes ----------------------------------------------------------------------------------------------


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Runs a command in a fresh folder that holds the given scenario."""
    monkeypatch.chdir(tmp_path)

    def invoke(text: str, *words: str) -> Result:
        (tmp_path / "small.yaml").write_text(text)
        return CliRunner().invoke(cli.app, words or COMMAND)

    return invoke


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


A, B = "chips: 512, ", "system: hgx-h100-8"
MISTAKES = {
    "typo in a key": (A, "chps: 512, ", r'small\.yaml:6:38: .*chps.*did you mean "chips"\?'),
    "a word for a number": (A, "chips: many, ", r"small\.yaml:6:45: clusters\.a\.chips: read many, .*whole number"),
    "no chips": (A, "chips: 0, ", r"small\.yaml:6:45: clusters\.a\.chips: .*0.*"),
    "less than none": (A, "chips: -5, ", r"small\.yaml:6:45: clusters\.a\.chips: .*-5.*"),
    "half a chip": (A, "chips: 2.5, ", r"small\.yaml:6:45: clusters\.a\.chips: .*2\.5.*"),
    "unknown system": (B, "system: hgx-h100", r'small\.yaml:7:.*no system "hgx-h100"; did you mean "hgx-h100-8"'),
    "unknown region": ("region: us", "region: usa", r'small\.yaml:7:.*no region "usa"; did you mean "us"'),
    "unknown model": ("model: qwen3-30b-a3b, workload: chat", "model: qwen3-30b, workload: chat",
                      r'small\.yaml:10:.*no model "qwen3-30b"; did you mean "qwen3-30b-a3b"'),
    "unknown workload": ("workload: chat", "workload: chatting",
                         r'small\.yaml:10:.*no workload "chatting"; did you mean "chat"'),
    "not YAML": ("clusters:", "clusters: [", r"small\.yaml:\d+:\d+: .+"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_the_file(name: str, typed: Typed, tmp_path: Path) -> None:
    right, wrong, expected = MISTAKES[name]
    assert right in QUESTION
    done = typed(QUESTION.replace(right, wrong, 1))
    assert done.exit_code == 2, done.output
    assert re.search(expected, done.stderr), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.output
    assert done.stdout == ""
    assert everything(tmp_path) == ["small.yaml"]


def test_too_few_chips_for_the_model(typed: Typed, tmp_path: Path) -> None:
    done = typed(QUESTION.replace("chips: 256", "chips: 3"))
    assert done.exit_code == 2
    (line,) = done.stderr.strip().splitlines()
    assert re.match(r"small\.yaml:7:\d+: Train a small model on 3 H100: ", line), line
    assert "memory" in line or "fit" in line
    assert everything(tmp_path) == ["small.yaml"]


@pytest.mark.parametrize(("base", "kind"), [("pretrain-v3", "training"), ("chat", "serving")])
def test_a_format_the_chip_lacks(base: str, kind: str, typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "workloads").mkdir()
    narrow = f"id: narrow\nkind_of_job: {kind}\nextends: {base}\nname: Narrow\nprecision: fp8\n"
    (tmp_path / "workloads" / "narrow.yaml").write_text(narrow)
    text = QUESTION.replace("hgx-h20-8", "hgx-a100-8").replace(f"workload: {base}", "workload: narrow")
    done = typed(text if kind == "training" else text.replace(*_training_line(text)))
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.strip().splitlines()
    assert re.match(
        r"small\.yaml:6:27: .*A100.* does not compute in FP8, which workload narrow asks for", line
    )


def _training_line(text: str) -> tuple[str, str]:
    return next(line + "\n" for line in text.splitlines() if "id: train" in line), ""


def test_unknown_chip_of_a_system(typed: Typed, tmp_path: Path) -> None:
    systems = tmp_path / "systems"
    systems.mkdir()
    text = (shipped_root() / "hardware_profiles" / "systems" / "hgx-h100-8.yaml").read_text()
    (systems / "mine.yaml").write_text(
        text.replace("id: hgx-h100-8", "id: mine").replace("chip: h100-sxm", "chip: h100")
    )
    done = typed(QUESTION.replace("hgx-h100-8", "mine"))
    assert done.exit_code == 2
    assert re.search(
        r'systems/mine\.yaml:\d+:\d+: chip: no chip "h100"; did you mean "h100-sxm"', done.stderr
    )


@pytest.mark.parametrize("wanted", ["smal.yaml", "ascend_20k_vs_h100", "nowhere/small.yaml"])
def test_no_such_scenario(wanted: str, typed: Typed, tmp_path: Path) -> None:
    done = typed(QUESTION, "run", wanted)
    assert done.exit_code == 2
    (line,) = done.stderr.strip().splitlines()
    assert wanted in line
    if wanted == "ascend_20k_vs_h100":
        assert 'did you mean "ascend_20k_vs_h100_12k"' in line
    assert everything(tmp_path) == ["small.yaml"]


@pytest.mark.parametrize("words", [("--draws", "0"), ("--draws", "many"), ("--seed", "-1"), ("--sed", "1")])
def test_mistakes_on_the_line(words: tuple[str, ...], typed: Typed, tmp_path: Path) -> None:
    done = typed(QUESTION, "run", "small.yaml", *words)
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert everything(tmp_path) == ["small.yaml"]


def test_the_place_for_the_report_is_a_file(typed: Typed, tmp_path: Path) -> None:
    for out in ("small.yaml", "small.yaml/deeper"):
        done = typed(QUESTION, "run", "small.yaml", "--out", out)
        assert done.exit_code == 2
        assert done.stderr == f"--out {out}: small.yaml is a file; name a folder\n"
    assert everything(tmp_path) == ["small.yaml"]


def test_the_place_for_the_report_is_not_ours(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("sim.views.output.TemporaryFile", refused)
    done = typed(QUESTION, "run", "small.yaml", "--out", "mine/report")
    assert done.exit_code == 2
    assert done.stderr.startswith("--out mine/report: nothing can be written there (permission denied)")
    assert everything(tmp_path) == ["small.yaml"]


# --- cut short ---------------------------------------------------------------------------------------------


def test_interrupted_while_at_work(typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "swings", stop)
    done = typed(SERVING)
    assert (done.exit_code, done.stderr) == (130, "interrupted\n")
    assert everything(tmp_path) == ["small.yaml"]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is there already, however it looks."""
    monkeypatch.setattr(run_module, "swings", unmoved)
    files = {f"page-{n}.png": b"page" * 100 for n in range(1, 6)}
    monkeypatch.setattr(
        outputs, "report_files", lambda *_: {"report.pdf": b"document", **files, "results.csv": b"1"}
    )


@pytest.mark.usefixtures("drawn")
def test_ctrl_c_while_files_are_written(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write, written = Path.write_bytes, []

    def interrupted(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) == 3:
            write(path, data[: len(data) // 2])  # half of a file is out
            signal.raise_signal(signal.SIGINT)
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    done = typed(SERVING)
    assert (done.exit_code, done.stderr) == (130, "interrupted\n")
    assert len(written) == 3
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("drawn")
def test_the_disk_is_full(typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # An earlier report stays as it was.
    earlier = {
        tmp_path / "out" / name: f"earlier {name}".encode()
        for name in ("report.pdf", "results.csv", "run.json")
    }
    (tmp_path / "out").mkdir()
    for path, data in earlier.items():
        path.write_bytes(data)
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "results.csv" in path.name:
            raise OSError(28, "No space left on device", str(path))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    done = typed(SERVING)
    assert done.exit_code == 2
    assert re.fullmatch(r"out/.*: no space left on device\n", done.stderr)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == earlier


# --- what is not known, and what cannot be done ------------------------------------------------------------


def test_a_chip_without_a_price(tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "standalone", lambda _: {})
    text = (
        SERVING.replace("label: H20, system: hgx-h20-8", "label: TPU v5p, system: tpu-v5p-pod")
        .replace("region: china", "region: us")
    )  # fmt: skip
    done = typed(text)
    assert done.exit_code == 0, done.output
    assert re.search(r"For serving .*, 512 TPU v5p do the work of [\d,]+ H100", done.stdout)
    assert "what owning it costs is unknown, for want of price in chips/tpu-v5p.yaml" in done.stdout
    results = pd.read_csv(tmp_path / "out" / "results.csv")
    assert results.query("metric == 'equal_count'")["value"].notna().all()
    tpu = results.query("label == 'TPU v5p'").set_index(["metric", "statistic"])["value"]
    assert tpu.loc[["cost_amortised", "cost_acquisition"]].isna().all()
    assert tpu.loc["cost_rental"].notna().all()  # it is rented out, and the rent is known
    assert results.query("label == 'H100' and metric == 'cost_amortised'")["value"].notna().all()


def test_a_promise_nobody_can_keep(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "standalone", lambda _: {})
    (tmp_path / "workloads").mkdir()
    hasty = "id: hasty\nkind_of_job: serving\nextends: chat\nname: Hasty\ntargets: {tpot: 5 us}\n"
    (tmp_path / "workloads" / "hasty.yaml").write_text(hasty)
    done = typed(SERVING.replace("workload: chat", "workload: hasty"))
    assert done.exit_code == 0, done.output
    assert "neither side keeps its promise" in done.stdout
    assert "100% of the draws serve nothing" in done.stdout


# --- what is shipped ---------------------------------------------------------------------------------------

SHIPPED = sorted(path.stem for path in (shipped_root() / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("scenario", SHIPPED)
def test_shipped_scenarios_run(scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Answers alone: what moves them, and long runs of the event engines, are put to the test elsewhere.
    monkeypatch.setattr(run_module, "swings", unmoved)
    found = run_scenario(Catalogue(here=tmp_path), scenario, draws=8)
    assert found.content.title
    for job in found.content.jobs:
        assert job.equal_count.p05 <= job.equal_count.p50 <= job.equal_count.p95
        assert 0 < job.equal_count.p50 < np.inf
