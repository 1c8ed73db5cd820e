# Everything runs from .venv; nothing is installed on the host.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: demo test check clean

demo: $(STAMP)  ## audit this host, or a sample where it has no groups
	@$(BIN)/iommu-inspect audit --demo; status=$$?; \
	if [ $$status -gt 1 ]; then exit $$status; fi  # 1: it found something

test: $(DEV_STAMP)  ## install what the tests need and run them
	$(BIN)/python -m pytest

check: $(DEV_STAMP)  ## lint, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(VENV)/pyvenv.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(DEV_STAMP): $(VENV)/pyvenv.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(STAMP)
