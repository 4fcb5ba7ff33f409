# Two commands set everything up: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-all check bench clean

demo: $(STAMP)
	$(BIN)/python -m mcc.cli.demo

test: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist loadscope -m "not slow"

test-all: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist loadscope

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m benchmarks

$(STAMP): pyproject.toml constraints.txt $(wildcard runtime/native/*)
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet "torch==2.13.0"
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet -e ".[torch,demo,develop]"
	touch $@

clean:
	rm -rf $(VENV) build dist
