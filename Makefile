# archsim: `make demo` and `make test` set up all they need in .venv, on a machine that has only
# python3 (>= 3.11) with venv, make and g++.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DATA   ?= $(ARCHSIM_DATA)
OUT    ?= archsim-out/demo
WITH_DATA = $(if $(DATA),ARCHSIM_DATA="$(DATA)")
# a process a core, four at most: each may need two gigabytes
PYTEST = $(WITH_DATA) $(BIN)/pytest --numprocesses auto --maxprocesses 4

.PHONY: demo test test-slow test-rtl-full lint format bench clean help

help:
	@echo "make demo       run a scene through Orin NX, GSCore and StreamingGS; report in $(OUT)"
	@echo "make test       run the test suite (DATA=folder adds the tests on real data)"
	@echo "make test-slow  run the slow tests too"
	@echo "make test-rtl-full  verify the RTL: seeded bugs, coverage, formal proofs, synthesis"
	@echo "make lint       ruff and mypy --strict over the installed package"
	@echo "make format     apply ruff's formatting"
	@echo "make bench      measure archsim's own speed (DATA=folder for real scenes)"
	@echo "make clean      remove the environment and build outputs"

demo: $(VENV)/.run
	$(BIN)/archsim run configs/streaminggs.yaml --out $(OUT)

test: $(VENV)/.test
	$(PYTEST) --dist loadfile -m "not slow and not rtl_full"

test-slow: $(VENV)/.test
	$(PYTEST) --dist loadfile -m "not rtl_full"

test-rtl-full: $(VENV)/.rtl
	$(PYTEST) --dist worksteal -m "rtl or rtl_full"

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf .lint build
	$(BIN)/pip install --quiet --no-deps --target .lint .
	MYPYPATH=.lint $(BIN)/mypy --package archsim
	rm -rf .lint build

format: $(VENV)/.lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test
	$(WITH_DATA) $(BIN)/python -P benchmarks/main_job.py
	$(BIN)/python -P benchmarks/reference_renderer.py "$(DATA)/gs3d/playcanvas/playbot" --lod 0 --threads 1
	$(BIN)/python -P benchmarks/room_scale.py
	$(WITH_DATA) $(BIN)/python -P benchmarks/executors.py
	$(BIN)/python -P benchmarks/dram.py
	$(WITH_DATA) $(BIN)/python -P benchmarks/vector_quantisation.py

clean:
	rm -rf $(VENV) .lint build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# --- environment: one stamp for what a user needs, one each for tests and lint

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "archsim needs Python 3.11 or newer as '$(PYTHON)'. On Debian 12, Ubuntu 24.04 or newer:"; \
	  echo "  sudo apt install python3 python3-venv make g++"; \
	  echo "On Ubuntu 22.04: sudo apt install python3.11 python3.11-venv make g++, then make PYTHON=python3.11 ..."; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv is missing: sudo apt install python3-venv"; exit 1; }
	@command -v g++ >/dev/null || { echo "g++ is missing: sudo apt install g++"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

$(VENV)/.run: $(VENV)/bin/pip pyproject.toml setup.py
	@echo "Setting up archsim in $(VENV) (about a minute) ..."
	$(BIN)/pip install --quiet --quiet --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/pip install --quiet --editable '.[test]'
	@touch $@

$(VENV)/.rtl: $(VENV)/.test
	$(BIN)/pip install --quiet --editable '.[formal,synth]'
	@touch $@

$(VENV)/.lint: $(VENV)/.run
	$(BIN)/pip install --quiet --editable '.[lint]'
	@touch $@
