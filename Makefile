PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo test test-slow test-export bench bench-smoke lint clean

demo: .venv/installed  ## tag the small corpus in docs/demo and print what is found
	$(BIN)/cytotag tag docs/demo --output demo-chunks --overwrite
	$(BIN)/cytotag show demo-chunks
	@echo "dataset: demo-chunks (read it with pyarrow, Spark, DuckDB or Polars)"

test: .venv/installed-test  ## run the tests, but for the slow ones
	$(BIN)/python -m pytest tests/unit -n auto
	$(BIN)/python -m pytest tests/integration -m "not slow" --durations=10

test-slow: .venv/installed-test  ## kills, lost nodes, clusters, object stores, memory: what takes long
	$(BIN)/python -m pytest tests/integration -m slow --durations=10

test-export: .venv-export/installed  ## weights of other models to ONNX: needs torch, 200 MB in an environment of its own
	.venv-export/bin/python -m pytest tests/export

bench: .venv-bench/installed  ## how fast, against others, on this machine: hours; a table, JSON and a picture in bench-results
	.venv-bench/bin/python -m benchmarks.suite

bench-smoke: .venv-bench/installed  ## only see that the speed suite works
	.venv-bench/bin/python -m pytest tests/bench

lint: .venv/installed-test  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@

.venv-export/installed: pyproject.toml  # torch first: pip takes one with gigabytes of CUDA for any other request
	$(PYTHON) -m venv .venv-export
	.venv-export/bin/pip install --quiet torch==2.13.0
	.venv-export/bin/pip install --quiet --editable ".[export]" hypothesis pytest
	touch $@

.venv-bench/installed: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet torch==2.13.0
	.venv-bench/bin/pip install --quiet --editable ".[bench]"
	touch $@

clean:
	rm -rf .venv .venv-export .venv-bench build *.egg-info demo-chunks
