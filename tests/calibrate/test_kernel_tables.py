"""Tables of measured kernels: work as counted by hand, and plain lines for tables gone wrong."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sim import cli
from sim.calibrate.tables import read_tables
from sim.profiles.catalogue import Catalogue

HEAD = "chip,family,precision,m,n,k,experts,batch,heads,kv_heads,head_dim,new,past,bytes,members,latency_s"
Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        Path("table.csv").write_text(text, encoding="utf-8")
        return Path("table.csv")

    return write


def test_work_is_counted_as_by_hand(written: Written) -> None:
    rows = [
        "x,gemm,fp8,4,8,16,,,,,,,,,,1e-6",
        "x,grouped_gemm,bf16,4,8,16,2,,,,,,,,,1e-6",
        "x,attention_decode,bf16,,,,,2,8,4,16,1,9,,,1e-6",
        "x,attention_prefill,bf16,,,,,1,2,2,16,4,0,,,1e-6",
        "x,elementwise,bf16,,,,,,,,,,,1000,,1e-6",
    ]
    dense, experts, decode, prefill, copy = read_tables([written("\n".join([HEAD, *rows]))]).samples
    # 2 x 4 x 8 x 16 = 1024; 1 byte x (4 x 16 + 8 x 16) + 2 bytes x 4 x 8 = 256.
    assert (dense.flop, dense.moved, dense.rows) == (1024, 256, 4)
    # Two experts of 4 rows, hidden 16, inner 8: 2 x 8 x 3 x 16 x 8 = 6144. Weights 2 x 384 x 2 B = 1536; per row in
    # 2 x (16 + 8), out 2 x (2 x 8 + 16): 112 B, 8 rows: 896.
    assert (experts.flop, experts.moved, experts.rows) == (6144, 2432, 4)
    # 10 positions, 8 heads of 16: 2 x 4 x 8 x 16 x 10 = 10240; keys and values 2 x 2 x 4 x 16 x 2 B x 10 = 5120, query
    # and output 2 x 2 x 8 x 16 x 2 B = 1024.
    assert (decode.flop, decode.moved) == (10240, 6144)
    # 4 tokens see 1 + 2 + 3 + 4 = 10 positions: 4 x 2 x 16 x 10 = 1280.
    assert prefill.flop == 1280
    assert (copy.flop, copy.moved) == (0, 1000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "table.csv:1:1: the table has no header; it is empty"),
        (HEAD + "\n", "table.csv:1:1: the table has no rows below its header"),
        (
            "chip,family,precison,latency_s\nx,gemm,bf16,1\n",
            'table.csv:1:1: missing column precision; did you mean "precison"?; a table of kernels has chip, family, '
            "precision, latency_s and sizes",
        ),
        (
            HEAD + "\nx,gemm,bf16,many,8,16,,,,,,,,,,1e-6\n",
            'table.csv:2:13: m: read "many", where a number of zero or more is expected',
        ),
        (
            HEAD + "\nx,gemm,bf16,4,8,,,,,,,,,,,1e-6\n",
            "table.csv:2:17: k: read nothing, where a number of zero or more is expected",
        ),
        (
            HEAD + "\n\nx,gemm,bf61,4,8,16,,,,,,,,,,1e-6\n",
            'table.csv:3:8: precision: "bf61" is not one of fp32, tf32, bf16, fp16, fp8, int8, fp4, int4; '
            'did you mean "bf16"?',
        ),
        (
            HEAD + "\nx,gem,bf16,4,8,16,,,,,,,,,,1e-6\n",
            'table.csv:2:3: family: "gem" is not one of gemm, grouped_gemm, attention_prefill, attention_decode, '
            'elementwise, lookup, all_reduce, all_gather, reduce_scatter, all_to_all; did you mean "gemm"?',
        ),
        (
            HEAD + "\nx,gemm,bf16,4,8,16,,,,,,,,,,0\n",
            "table.csv:2:29: latency_s: read 0, where a time above zero is expected",
        ),
        (
            HEAD + "\nx,grouped_gemm,bf16,4,8,16,0,,,,,,,,,1e-6\n",
            'table.csv:2:28: experts: read "0", where a number of 1 or more is expected',
        ),
        (
            HEAD + "\nh100,gemm,bf16,4,8,16,,,,,,,,,,1\n",
            'no chip "h100"; did you mean "h100-sxm" or "h800" or "h20"?',
        ),
        (
            HEAD + "\nh100-sxm,gemm,fp4,4,8,16,,,,,,,,,,1\n",
            "the table has fp4 rows, but h100-sxm has no fp4 peak; add it to compute.matrix",
        ),
    ],
)
def test_mistakes_are_plain_lines(written: Written, text: str, message: str) -> None:
    written(text)
    done = CliRunner().invoke(cli.app, ["calibrate", "kernels", "table.csv"])
    assert (done.exit_code, done.stderr) == (2, message + "\n")


def products(chip: str = "h100-sxm", peak: float = 989.5e12, bandwidth: float = 3.35e12) -> str:
    """A table whose curve is a = 0.5, b = 0.8, t0 = 5 us of the peaks."""
    rows = []
    for n, k in [(2048, 7168), (8192, 8192), (28672, 8192)]:
        for m in (1, 2, 4, 8, 16, 64, 256, 1024, 4096, 16384):
            moved = 2 * (m * n + n * k + m * k)
            seconds = max(2 * m * n * k / (0.5 * peak), moved / (0.8 * bandwidth)) + 5e-6
            rows.append(f"{chip},gemm,bf16,{m},{n},{k},,,,,,,,,,{seconds:.9g}")
    return "\n".join([HEAD, *rows]) + "\n"


def test_the_kernel_file_is_a_profile(written: Written) -> None:
    written(products())
    words = ["calibrate", "kernels", "table.csv", "--out", "mine/kernels/mine.yaml", "--page", "page.md"]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0, done.stderr
    assert done.output.endswith(
        "wrote mine/kernels/mine.yaml: one curve of h100-sxm; the rest from hopper\nwrote page.md\n"
    )
    mine = Catalogue([Path("mine")]).kernels("mine")
    shipped = Catalogue().kernels("hopper")
    assert mine.gemm["bf16"].compute.value == pytest.approx(0.5, rel=0.01)
    assert mine.gemm["bf16"].compute.kind == "measured"
    assert mine.gemm["bf16"].bandwidth.value == pytest.approx(0.8, rel=0.01)
    assert mine.gemm["fp8"].compute.value == shipped.gemm["fp8"].compute.value
    assert "table.csv (sha256 " in mine.sources["kernel-table"].title
    assert "| gemm | bf16 |" in Path("page.md").read_text()
    again = CliRunner().invoke(cli.app, words)
    assert again.exit_code == 0


def test_what_cannot_be_written(written: Written) -> None:
    written(products() + "".join(products("a100-sxm-80g").splitlines(keepends=True)[1:]))
    run = CliRunner().invoke
    done = run(cli.app, ["calibrate", "kernels", "table.csv", "--out", "a.yaml"])
    message = "--out holds one chip, the tables hold h100-sxm, a100-sxm-80g; choose with --chip ID\n"
    assert (done.exit_code, done.stderr) == (2, message)
    done = run(cli.app, ["calibrate", "kernels", "table.csv", "--out", "hopper.yaml", "--chip", "h100-sxm"])
    assert done.stderr.startswith("--out hopper.yaml: a file cannot extend itself")
    done = run(cli.app, ["calibrate", "kernels", "table.csv", "--software", "other"])
    assert done.stderr.startswith("no row of the tables is left to fit")


def test_public_tables_state_the_same_work() -> None:
    """The tables carry rates of their own: time x rate is the work by their authors' count."""
    root = os.environ.get("CHIP_PARITY_SHARED", "")
    folder = Path(root) / "data" / "kernels"
    if not root or not folder.is_dir():
        pytest.skip("CHIP_PARITY_SHARED names no folder with data/kernels")
    # (table, column of a rate, factor to base units, phase it is given for, tolerance for rounding)
    for name, column, unit in (
        ("gemm.csv", "achieved_tflops", 1e12),
        ("attention_gqa.csv", "achieved_tflops_causal", 1e12),
    ):
        with (folder / name).open(encoding="utf-8") as file:
            stated = [row for row in csv.DictReader(file) if row.get("dtype") not in ("int8_wo", "int4_wo")]
        samples = read_tables([folder / name]).samples
        assert len(samples) == len(stated)
        for row, sample in zip(stated, samples, strict=True):
            if row[column] and float(row[column]) > 50.0:  # small ones are rounded away
                # Causal attention is counted there as half a square, here with its diagonal: 1 / isl more.
                more = 1 + 1 / float(row["isl"]) if "isl" in row else 1.0
                assert sample.flop / sample.seconds == pytest.approx(
                    more * float(row[column]) * unit, rel=2e-3
                )


def test_the_page_about_an_own_chip(written: Written) -> None:
    """Its files are checked, and its commands turn a table into a profile that they find."""
    guide = Path(__file__).parents[2] / "docs" / "your-own-chip.md"
    for block in guide.read_text(encoding="utf-8").split("```yaml\n# ")[1:]:
        name, text = block.split("```")[0].split("\n", 1)
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    written(products("my-chip", 312e12, 2.039e12)).rename("kernels.csv")
    words = [
        "calibrate",
        "kernels",
        "kernels.csv",
        "--profiles",
        "mine",
        "--out",
        "mine/kernels/my-kernels.yaml",
    ]
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    chip = Path("mine/chips/my-chip.yaml")
    chip.write_text(chip.read_text().replace("kernels: generic", "kernels: my-kernels"))
    done = CliRunner().invoke(cli.app, ["profiles", "check", "mine/question.yaml", "--profiles", "mine"])
    assert (done.exit_code, done.stderr) == (0, "")
    curve = Catalogue([Path("mine")]).kernels(Catalogue([Path("mine")]).chip("my-chip").kernels).gemm["bf16"]
    assert curve.compute.value == pytest.approx(0.5, rel=0.01)
    assert curve.overhead.value == pytest.approx(5e-6, rel=0.05)
