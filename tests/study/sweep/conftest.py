"""A small question for sweeps: one training and one serving job on a few chips."""

from pathlib import Path

import pytest

SCENARIO = """\
id: small
name: A small question
question: How many H800 do the work of 16 H100?
clusters:
  a: {label: H100, system: hgx-h100-8, chips: 16, region: us}
  b: {label: H800, system: hgx-h800-8, chips: 16, region: china-imported}
jobs:
  - {id: chat, label: Chat, model: llama-3.1-8b, workload: chat}
  - {id: train, label: Train, model: llama-3.1-8b, workload: pretrain-15t}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return str(path)
