# Start with `make demo` or `make test`; every target creates the virtual environment it needs.

PYTHON ?= python3
VENV ?= .venv
ADDONS_VENV ?= .venv-addons
OTHER_VENV ?= .venv-other
QUICK_TESTS = $(filter-out %/test_readme.py,$(wildcard tests/test_*.py)) $(addprefix tests/,evaluation retrieval)
PARALLEL = --numprocesses auto --dist loadscope --no-loadscope-reorder --max-worker-restart 0
PIP = pip install --quiet --disable-pip-version-check

BENCH_PYTHON = $(abspath $(VENV))/bin/python
BENCHMARKS = start_up embed query serve map evaluation search target_recall growth training input_pipeline head_training scale_out

.PHONY: demo test test-slow test-addons test-python lint bench bench-check clean

demo: $(VENV)/bin/python
	$(VENV)/bin/$(PIP) .
	$(VENV)/bin/tfret demo

test: $(VENV)/bin/python
	$(VENV)/bin/$(PIP) --editable '.[test]'
	$(VENV)/bin/python -m pytest $(PARALLEL)

# The slow tests, which `make test` deselects.
test-slow: $(VENV)/bin/python
	$(VENV)/bin/$(PIP) --editable '.[test]'
	$(VENV)/bin/python -m pytest -m slow $(PARALLEL)

# The suite with tensorflow-addons, on TensorFlow 2.15 and Python 3.10 or 3.11, without pages, figures and the README.
test-addons: $(ADDONS_VENV)/bin/python
	$(ADDONS_VENV)/bin/$(PIP) --editable '.[addons,test]'
	$(ADDONS_VENV)/bin/python -m pytest $(PARALLEL) -m 'not slow and not browser' \
		--ignore tests/serve --ignore tests/report --ignore tests/visualize --ignore tests/test_readme.py

# Install without extras on another Python, run the demo there and the tests that need no optional package:
# make test-python PYTHON=python3.12
test-python:
	rm -rf $(OTHER_VENV)
	$(PYTHON) -m venv $(OTHER_VENV)
	$(OTHER_VENV)/bin/$(PIP) . pytest pytest-timeout pytest-xdist hypothesis
	$(OTHER_VENV)/bin/tfret demo --output $(OTHER_VENV)/demo
	$(OTHER_VENV)/bin/python -m pytest $(PARALLEL) $(QUICK_TESTS)

lint: $(VENV)/bin/python
	$(VENV)/bin/$(PIP) --editable '.[test,lint]'
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# Takes about an hour on a machine that is otherwise idle.
bench: $(VENV)/bin/python
	$(VENV)/bin/$(PIP) --editable '.[test]'
	cd benchmarks && for name in $(BENCHMARKS); do $(BENCH_PYTHON) $$name.py || exit 1; done
	cd benchmarks && $(BENCH_PYTHON) write_page.py && $(BENCH_PYTHON) estimate_costs.py

# Run every benchmark once, at tiny sizes, to check that it works.
bench-check: $(VENV)/bin/python
	$(VENV)/bin/$(PIP) --editable '.[test]'
	cd benchmarks && for name in $(BENCHMARKS); do $(BENCH_PYTHON) $$name.py --quick || exit 1; done

clean:
	rm -rf $(VENV) $(ADDONS_VENV) $(OTHER_VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* benchmarks/.environments benchmarks/.runs

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(ADDONS_VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] > (3, 11) and "tensorflow-addons needs Python 3.10 or 3.11: make test-addons PYTHON=python3.11")'
	$(PYTHON) -m venv $(ADDONS_VENV)
