PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo test test-slow lint clean

demo: .venv/installed  ## tag the small corpus in docs/demo and print what is found
	$(BIN)/cytotag tag docs/demo --output demo-chunks --overwrite
	$(BIN)/cytotag show demo-chunks
	@echo "dataset: demo-chunks (read it with pyarrow, Spark, DuckDB or Polars)"

test: .venv/installed-test  ## run the tests, but for the slow ones
	$(BIN)/python -m pytest tests/unit -n auto
	$(BIN)/python -m pytest tests/integration -m "not slow" --durations=10

test-slow: .venv/installed-test  ## kills, lost nodes, clusters, object stores, memory: what takes long
	$(BIN)/python -m pytest tests/integration -m slow --durations=10

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

clean:
	rm -rf .venv build *.egg-info demo-chunks
