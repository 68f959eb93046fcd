# The two commands of the README: `make demo` and `make test`.  Each needs Python 3.11+ and make.
# With another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# A second environment, with the libraries whose training loops run in tests/peers.
PEERS_VENV := .venv-peers
PEERS_STAMP := $(PEERS_VENV)/.installed
PEERS := stable-baselines3 torchrl ray "minari[create]" rliable envpool
# Without the constraints: Trackio admits older versions of Pillow only.
TRACKERS := ".[wandb,trackio]"
# A third one, with the lowest versions that pyproject.toml admits.
LOWEST_VENV := .venv-lowest
LOWEST_STAMP := $(LOWEST_VENV)/.installed
LOWEST_UV = $(LOWEST_VENV)/bin/uv pip install -q --python $(LOWEST_VENV)/bin/python
LOWEST_EXTRAS := $(addprefix --extra ,maze offline vision atari pretrain)
# Modules, wrappers, data, files, and a short training of each algorithm.
LOWEST_TESTS := tests/test_imports.py tests/data tests/spaces tests/storage tests/training \
    tests/wrappers/vector tests/wrappers/tianshou tests/agents/imitation tests/agents/irl/test_diffusion_irl.py \
    tests/agents/online/test_relabel.py tests/agents/diffusion/test_diffusion_policy.py
# `make demo ARGS="--seed 1"`, `make test ARGS="tests/data -x"`
ARGS ?=
# Processes of the tests.  Each imports torch, so more processes than cores gain nothing.
WORKERS ?= 2

.PHONY: help demo test test-all test-notebooks test-peers test-lowest test-device check check-style check-mypy check-pyright check-imports format docs docs-serve clean

help:
	@echo "make demo      install into $(VENV), then learn a reward on PointMaze and plan with it (2 to 3 minutes, longer next to other programs)"
	@echo "make test      install into $(VENV), then run the tests that CI runs"
	@echo "make test-all  the same with the slow tests"
	@echo "make test-peers  install into $(PEERS_VENV), then run the training loops of other libraries"
	@echo "make test-lowest  install the lowest versions into $(LOWEST_VENV), then run a small part of the tests"
	@echo "make test-device  run the tests marked \`cuda\`, without a GPU on a second device in CPU memory"
	@echo "make test-notebooks  run the notebooks of docs/notebooks"
	@echo "make check     ruff, mypy, pyright and the import rules"
	@echo "make format    let ruff repair what it can"
	@echo "make docs      build the documentation site into site/; make docs-serve shows it at 127.0.0.1:8000"
	@echo "make clean     remove $(VENV), $(PEERS_VENV), $(LOWEST_VENV) and every cache"

demo: $(STAMP)
	$(BIN)/rlpriors demo $(ARGS)

test: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) -m "not slow and not peers" $(ARGS)

test-all: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) -m "not peers" $(ARGS)

test-peers: $(PEERS_STAMP)
	$(PEERS_VENV)/bin/pytest -m peers tests/peers $(ARGS)

# The lowest jaxtyping cannot check types here, and old versions of libraries warn of newer ones.
test-lowest: $(LOWEST_STAMP)
	$(LOWEST_VENV)/bin/python -m pytest -n $(WORKERS) -m "not slow and not peers and not cuda" -W default \
	    -o addopts="--import-mode=importlib --strict-markers -rfEs" -k "not properties and not fast_entries and not mujoco" $(LOWEST_TESTS) $(ARGS)

# The plugin in tests/plugins stands in for a GPU.  Reading only these files halves the time.
test-device: $(STAMP)
	RLPRIORS_SECOND_DEVICE=1 $(BIN)/pytest -n $(WORKERS) -m "cuda and not slow" $(ARGS) $$(grep -rl 'mark\.cuda' tests --include='test_*.py')

test-notebooks: $(STAMP)
	$(BIN)/pytest -n 0 tests/test_notebooks.py $(ARGS)

# Separate targets: `make -k check` reports the faults of all of them.
check: check-style check-mypy check-pyright check-imports

check-style: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

check-mypy: $(STAMP)
	$(BIN)/mypy

check-pyright: $(STAMP)
	$(BIN)/pyright

check-imports: $(STAMP)
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Material announces its successor at every start; the variable silences that.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)

docs-serve: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve $(ARGS)

clean:
	rm -rf $(VENV) $(PEERS_VENV) $(LOWEST_VENV) build dist site src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

define check-python
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
    echo "rlpriors needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
         "Choose another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
endef

# The stamp makes the second call instant.  It is older than a changed requirement, and missing after an
# interrupted installation.
$(STAMP): pyproject.toml constraints.txt
	$(check-python)
	@rm -f $@
	@echo "Installing into $(VENV); this takes some minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e ".[dev]"
	@touch $@

$(PEERS_STAMP): pyproject.toml constraints.txt Makefile
	$(check-python)
	@rm -f $@
	@echo "Installing into $(PEERS_VENV); this takes some minutes the first time."
	$(PYTHON) -m venv $(PEERS_VENV)
	$(PEERS_VENV)/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt -e ".[dev]" $(PEERS)
	$(PEERS_VENV)/bin/python -m pip install --disable-pip-version-check -q -e $(TRACKERS)
	@touch $@

# uv can resolve the lowest versions, pip cannot.  Without PyPI, or if a version cannot be installed, this fails.
$(LOWEST_STAMP): pyproject.toml Makefile
	$(check-python)
	@rm -f $@
	@echo "Installing the lowest versions into $(LOWEST_VENV); this takes some minutes the first time."
	$(PYTHON) -m venv --clear $(LOWEST_VENV)
	$(LOWEST_VENV)/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt uv
	$(LOWEST_UV) --resolution lowest-direct -r pyproject.toml $(LOWEST_EXTRAS)
	$(LOWEST_UV) --no-deps -e .
	$(LOWEST_UV) -c constraints.txt beartype hypothesis pytest pytest-timeout pytest-xdist
	@touch $@
