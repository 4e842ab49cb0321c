# Everything needs only Python 3.11 or newer and make; the environment is made on first use, from the lock file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DRAWS ?= 1000
FLAGSHIP := reports/ascend_20k_vs_h100_12k

# Tests hand over what hypothesis drew, and look into optional parts of a result without narrowing them first.
LOOSE := $(addprefix --disable-error-code ,union-attr arg-type) --no-warn-unused-ignores --allow-untyped-defs
CONFTESTS := $(sort $(wildcard tests/conftest.py tests/*/conftest.py tests/*/*/conftest.py))

.PHONY: report test check gallery lock clean

report: $(READY)  ## Run the flagship scenario and say where its PDF and PNG are.
	$(BIN)/parity run scenarios/ascend_20k_vs_h100_12k.yaml --draws $(DRAWS) --out $(FLAGSHIP)

test: $(READY)  ## Run all tests.
	$(BIN)/python -m pytest -n auto --dist loadfile

check: $(READY)  ## Lint, format and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy $(LOOSE) --exclude conftest tests benchmarks
	set -e; for each in $(CONFTESTS); do $(BIN)/mypy $(LOOSE) $$each; done  # one by one: all have the same module name

gallery: report  ## Regenerate the committed pictures and PDF of the flagship.
	mkdir -p reports/gallery
	cp $(addprefix $(FLAGSHIP)/,report.pdf page-1.png page-2.png page-3.png figures/parity.png) reports/gallery/

lock: $(READY)  ## Resolve the dependencies anew (needs the tool uv on the path).
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url -q -o requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Chip Parity needs Python 3.11 or newer; set it with: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
