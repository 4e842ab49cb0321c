"""Tables of other writers: other spellings, cells that others imply, rows that contradict themselves."""

import csv

import numpy as np
import pytest

from sim.profiles.messages import InputError
from sim.study.validation.cases import Case, validation_catalogue, validation_folder
from sim.study.validation.serving_cases import read_engine_rules
from sim.study.validation.validate_serving import TABLE, groups_of, predict, validate_serving

LOADED = "ix-llama-3.3-70b-h200-vllm-tp1-1024-1024-c64-tpot"
WIDE = "dsprofile-decode"
SATURATED = "trtllm-llama-3.3-70b-h200-tp1-500-2000"
PROMPTS = "lmsys-h100-prefill-2048"
UNLOADED = dict.fromkeys(
    ("concurrency_total", "concurrency_effective", "batch_per_chip", "batch_or_concurrency"), ""
)


@pytest.fixture(scope="module")
def known():
    with (validation_folder() / "inference.csv").open(encoding="utf-8", newline="") as lines:
        rows = {row["case_id"]: row for row in csv.DictReader(lines)}
    return validation_catalogue(), read_engine_rules(validation_folder() / "engines.yaml"), rows


def asked(known, case_id, **changes):
    catalogue, rules, rows = known
    case = Case({**rows[case_id], **changes}, 2)
    return predict(Case(case.row, 2, groups_of(case, catalogue)), catalogue, rules, draws=2)


@pytest.mark.parametrize(
    "changes",
    [
        {"engine": "vLLM v0.9.2"}, {"load_mode": "Closed-Loop"}, {"metric": "TPOT"}, {"phase": "DECODE"},
        {"chip": "H200-SXM"}, {"model_id": "Llama-3.3-70B"}, {"weights_dtype": "FP8_E4M3", "compute_dtype": "e4m3"},
        {"kv_dtype": "auto"}, {"kv_dtype": "unknown"}, {"tokens_counted": "Output"},
    ],
)  # fmt: skip
def test_another_spelling_is_the_same_row(known, changes):
    assert asked(known, LOADED, **changes).predicted == pytest.approx(asked(known, LOADED).predicted)


def test_layout_in_the_words_of_the_source_is_understood(known):
    """Columns tp, dp, ep of the source in place of the normalised ones; TP16 over 4 attention replicas is 4 x 4."""
    own = {"d_tp": "", "d_dp": "", "d_ep": "", "d_instances": ""}
    found = asked(known, WIDE, **own, tp="1", dp="128", ep="128")
    assert found.predicted == pytest.approx(asked(known, WIDE).predicted)
    assert "layout from the columns" in found.note
    shared = asked(known, WIDE, **own, tp="16", dp="4", ep="16", n_chips="16")
    stated = asked(known, WIDE, d_tp="4", d_dp="4", d_ep="16", n_chips="16")
    assert shared.predicted == pytest.approx(stated.predicted)


def test_lengths_and_load_in_the_words_of_the_source_are_understood(known):
    found = {"isl": "", "osl": "", "concurrency_total": "", "concurrency_effective": "", "batch_per_chip": ""}
    source = {
        "input_len": "921.6",
        "output_len": "921.6",
        "batch_or_concurrency": "64",
        "batch_scope": "total",
    }
    both = asked(known, LOADED, **found, **source)
    assert both.predicted == pytest.approx(asked(known, LOADED, concurrency_effective="").predicted)
    assert "isl from input_len" in both.note


def test_weights_are_as_released_where_nothing_is_said(known):
    """DeepSeek-V3 was released in FP8, gpt-oss with experts in 4 bits and the rest in 16."""
    plain = asked(known, WIDE, weights_dtype="", compute_dtype="")
    assert plain.predicted == pytest.approx(asked(known, WIDE).predicted)
    assert "weights as released, fp8" in plain.note
    row = "ix-gpt-oss-120b-h100-vllm-tp2-1024-1024-c64-tpot"
    mixed = asked(known, row, weights_dtype="", nonexpert_dtype="", compute_dtype="")
    assert mixed.predicted == pytest.approx(asked(known, row).predicted)


def test_attention_replicas_follow_from_the_expert_width(known):
    assert asked(known, WIDE, d_dp="").predicted == pytest.approx(asked(known, WIDE).predicted)


def test_weights_that_a_chip_has_no_units_for_are_computed_in_another_format(known):
    """4-bit weights on Hopper, FP8 on A100: the engines widen them; the reader is told."""
    narrow = asked(known, LOADED, weights_dtype="fp4", compute_dtype="")
    assert narrow.reason == ""
    assert "no fp4 units: computed in bf16" in narrow.note
    wide = asked(known, LOADED, weights_dtype="fp4", compute_dtype="bf16")
    assert narrow.predicted == pytest.approx(wide.predicted)
    old = asked(known, LOADED, chip="a100-sxm-80g", d_tp="2", n_chips="2")
    assert old.reason == ""
    assert "no fp8 units" in old.note


def test_tokens_per_step_need_as_many_drafts(known):
    """2.5 tokens a step take at least two drafts; their verification is not free."""
    free = asked(known, LOADED, accepted_tokens_per_step="2.5", draft_tokens="")
    stated = asked(known, LOADED, accepted_tokens_per_step="2.5", draft_tokens="2")
    assert free.predicted == pytest.approx(stated.predicted)
    assert "2 drafts taken" in free.note


def test_rates_are_per_chip_of_what_is_deployed(known):
    """A layout of 16 ranks on "1 chip" would have 16 times the rate of a chip; instances follow from the chips."""
    long = {"n_requests": "1000000"}
    one = asked(known, SATURATED, **long)
    wide = asked(known, SATURATED, **long, d_tp="16")
    assert wide.predicted < one.predicted
    assert "needs 16 chips, n_chips says 1" in wide.note
    many = asked(known, SATURATED, **long, n_chips="8", d_instances="")
    assert many.predicted == pytest.approx(one.predicted, rel=1e-3)


def test_chips_are_those_of_the_layout_where_none_are_counted(known):
    found = asked(known, SATURATED, n_chips="")
    assert found.predicted == pytest.approx(asked(known, SATURATED).predicted)
    assert "n_chips from the layout: 1" in found.note


def test_total_tokens_are_counted_as_the_row_says(known):
    """500 tokens in, 2,000 out: total is 1.25 times the output, input a quarter."""
    one = asked(known, SATURATED).predicted
    assert asked(known, SATURATED, tokens_counted="total").predicted == pytest.approx(1.25 * one)
    assert asked(known, SATURATED, tokens_counted="input").predicted == pytest.approx(0.25 * one)
    assert asked(known, SATURATED, metric="total_tokens_per_s_per_chip").predicted == pytest.approx(
        1.25 * one
    )


def test_a_static_batch_is_its_prompts_and_its_steps(known):
    """Rate x time = tokens: 64 sequences of 1,000 tokens in (first + 999 TPOT) seconds, first being e2e less decoding."""
    fixed = {"load_mode": "fixed_batch", "phase": "both", "batch_per_chip": "64", "isl": "1000", "osl": "1000",
             "tokens_counted": "output", "concurrency_total": "", "concurrency_effective": ""}  # fmt: skip
    rate, whole, tpot, first = (
        asked(known, LOADED, **fixed, metric=name).predicted
        for name in ("tokens_per_s_per_chip", "e2e_ms", "tpot_ms", "ttft_ms")
    )
    assert whole == pytest.approx(first + 999 * tpot)
    assert rate * whole / 1e3 == pytest.approx(
        64_000, rel=0.01
    )  # but for the client's share of the first token


def test_an_open_loop_at_two_pools_follows_littles_law(known):
    """At the rate that a closed loop reaches, the open one has its time per token; at a far higher one it has none."""
    split = "a3-r1-w8a8-32c-3k5-tpot"
    closed = asked(known, split, concurrency_effective="")
    rate = asked(known, split.replace("tpot", "tput"), concurrency_effective="").predicted * 32 / 1500
    load = {"load_mode": "open_loop_trace", "phase": "both"}
    assert asked(known, split, **load, request_rate_total=f"{rate:.6f}").predicted == pytest.approx(
        closed.predicted, rel=0.03
    )
    assert "more requests arrive" in asked(known, split, **load, request_rate_total="1000").reason


def test_first_token_of_a_batch_of_prompts(known):
    """Twice the prompts in one batch take about twice the time, less what does not grow with them."""
    asking = {"metric": "ttft_ms", "p_dp": "1", "p_ep": "1", "p_tp": "8", "n_chips": "8"}
    one, two = (
        asked(known, PROMPTS, **asking, prefill_tokens_per_batch=tokens).predicted
        for tokens in ("16384", "32768")
    )
    assert 1.6 * one < two < 2.05 * one


def test_a_cached_prompt_answers_sooner(known):
    """Requests whose prompts are mostly known wait less for the first token, also where the queue is played."""
    row = LOADED.replace("tpot", "ttft")
    assert asked(known, row, cached_fraction="0.9").predicted < asked(known, row).predicted


def test_what_does_not_fit_is_said(known):
    """70 billion parameters of 16 bits on one chip of 80 GB."""
    full = asked(known, SATURATED, chip="h100-sxm", weights_dtype="bf16", compute_dtype="bf16")
    assert full.reason == ""
    assert "no room beside the weights" in full.note


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"osl": "", "output_len": ""}, "osl is not published"), (UNLOADED, "concurrency_total is not published"),
        ({"load_mode": "slo_max_rate"}, "no column states the limits"), ({"metric": "usd_per_Mtok"}, "it gives"),
        ({"metric": ""}, "metric is not given"), ({"model_id": "gpt-17"}, "no model"),
        ({"load_mode": "single_request", "metric": "ttft_ms", "cached_fraction": "1"}, "no prompt token"),
    ],
)  # fmt: skip
def test_why_a_row_is_not_predicted(known, changes, words):
    found = asked(known, LOADED, **changes)
    assert words in found.reason
    assert np.isnan(found.predicted)


def test_a_cache_of_unknown_width_is_told_with_the_other(known):
    assert "bf16 taken, fp8 gives" in asked(known, LOADED, kv_dtype="").note


def test_variants_of_a_chip(known):
    """The bin that a row names is the chip of that bin where the catalogue has it."""
    grade = asked(known, "cm384-decode-50ms", chip_variant="560t-bin")
    assert grade.predicted == pytest.approx(
        asked(known, "cm384-decode-50ms", chip="ascend-910c-560t").predicted
    )
    assert grade.predicted != pytest.approx(asked(known, "cm384-decode-50ms").predicted, rel=1e-3)


def test_all_missing_columns_are_named_at_once(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("case_id,chip,metric\nx,h100-sxm,tpot_ms\n")
    with pytest.raises(InputError) as refused:
        validate_serving(path)
    message = str(refused.value)
    assert all(f"`{name}`" in message for name in set(TABLE.needed) - {"case_id", "chip", "metric"})


def test_a_strange_row_does_not_keep_the_others_from_being_scored(tmp_path, known):
    rows = [
        known[2][SATURATED] | {"case_id": "good"},
        known[2][SATURATED] | {"case_id": "odd", "model_id": "none"},
    ]
    path = tmp_path / "cases.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    result = validate_serving(path, draws=2)
    assert [bool(p.reason) for p in result.predictions] == [False, True]
    assert result.summary()["headline"]["refused"] == 1
    # Simple rules to compare with are fitted on the shipped rows where a table has none to fit on.
    assert all(np.isfinite(list(values.values())).any() for values in result.baselines.values())
