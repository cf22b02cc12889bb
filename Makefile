# The two commands of a fresh machine: `make demo` and `make test`. Each makes the environment that it needs.

PYTHON ?= python3
VENV ?= .venv
ADDONS_VENV ?= .venv-addons
PARALLEL = --numprocesses auto --dist loadscope
PIP = pip install --quiet --disable-pip-version-check

.PHONY: demo test test-addons lint bench clean

demo: $(VENV)/bin/python
	$(VENV)/bin/$(PIP) .
	$(VENV)/bin/tfret demo

test: $(VENV)/bin/python
	$(VENV)/bin/$(PIP) --editable '.[test]'
	$(VENV)/bin/python -m pytest $(PARALLEL)

# The same suite beside tensorflow-addons, on TensorFlow 2.15. Needs Python 3.10 or 3.11.
test-addons: $(ADDONS_VENV)/bin/python
	$(ADDONS_VENV)/bin/$(PIP) --editable '.[addons,test]'
	$(ADDONS_VENV)/bin/python -m pytest $(PARALLEL)

lint: $(VENV)/bin/python
	$(VENV)/bin/$(PIP) --editable '.[test,lint]'
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: $(VENV)/bin/python
	$(VENV)/bin/$(PIP) .
	$(VENV)/bin/python benchmarks/pair_stream.py
	$(VENV)/bin/python benchmarks/start_up.py

clean:
	rm -rf $(VENV) $(ADDONS_VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(ADDONS_VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] > (3, 11) and "tensorflow-addons needs Python 3.10 or 3.11: make test-addons PYTHON=python3.11")'
	$(PYTHON) -m venv $(ADDONS_VENV)
