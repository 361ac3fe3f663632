# Two commands set everything up: "make demo" (see it work) and "make test" (check that it works).
# Each makes its virtual environment from a hash-pinned lock; the second run starts at once.

PYTHON ?= python3
VENV   ?= .venv
DEV    ?= .venv-dev
FUZZ   ?= .venv-fuzz
FUZZ_SECONDS ?= 60
MACHINE_SECONDS ?= 600
BIN     = $(VENV)/bin
DEVBIN  = $(DEV)/bin
# Many tests wait for a process or a server, so there are twice as many at a time as there are cores.
JOBS   ?= $(shell $(PYTHON) -c "import os; print(2 * (os.cpu_count() or 1))")

.DEFAULT_GOAL := help
.PHONY: help demo install test check crash fuzz machine lint types imports format lock screenshots providers-table clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.ready  ## Walk the whole way once and keep it open: draft, approval, send, inbox, archive
	@$(BIN)/briefing demo $(ARGS)

install: $(VENV)/.ready  ## Make .venv with the command briefing
	@echo "The command is $(BIN)/briefing"

test: $(DEV)/.ready lint types imports  ## Run every check and test, as CI does
	@$(DEVBIN)/python -m pytest -n $(JOBS) -m "not alone" $(ARGS)
	@$(DEVBIN)/python -m pytest -m alone $(ARGS)

check: lint types imports  ## The checks that need no running

crash: $(DEV)/.ready  ## The long proof: kills, freezes and faults at random on both stores (docs/reliability.md); ARGS='--seeds 3 --json'
	@$(DEVBIN)/python -m tests.crash $(ARGS)

fuzz: $(FUZZ)/.ready  ## Fuzz drafts, rendering and imports with atheris, FUZZ_SECONDS each
	@for target in draft render html markdown docx page; do \
	    $(FUZZ)/bin/python -m tests.fuzz.harness $$target -max_total_time=$(FUZZ_SECONDS) || exit 1; done

machine: $(DEV)/.ready  ## Play the sending by chance, MACHINE_SECONDS long, looking for somebody lost or mailed twice
	@BRIEFING_MACHINE_SECONDS=$(MACHINE_SECONDS) $(DEVBIN)/python -m pytest -x tests/crash/test_machine.py -k nobody

lint: $(DEV)/.ready
	@$(DEVBIN)/ruff check . && $(DEVBIN)/ruff format --check .

types: $(DEV)/.ready
	@$(DEVBIN)/mypy

imports: $(DEV)/.ready
	@$(DEVBIN)/lint-imports --no-cache

format: $(DEV)/.ready  ## Format the code
	@$(DEVBIN)/ruff check --fix . ; $(DEVBIN)/ruff format .

lock:  ## Write the lock files anew (needs uv)
	uv pip compile pyproject.toml --group install --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q -o requirements.lock
	uv pip compile pyproject.toml --group install --extra cluster --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q -o requirements-cluster.lock
	uv pip compile pyproject.toml --group dev --extra postgres --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q -o requirements-dev.lock
	uv pip compile pyproject.toml --group fuzz --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q -o requirements-fuzz.lock

screenshots: $(DEV)/.ready  ## Take the pictures of README and docs anew (needs Chromium)
	@$(DEVBIN)/python docs/pictures/take_sections.py
	@$(DEVBIN)/python docs/pictures/take_screenshots.py

providers-table: $(DEV)/.ready  ## Write the table of docs/providers.md anew
	@$(DEVBIN)/python -m tests.docs.providers_page

clean:  ## Remove what make made (not your newsrooms)
	rm -rf $(VENV) $(DEV) $(FUZZ) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.ready: requirements.lock pyproject.toml
	@sh .ci/venv "$(PYTHON)" "$(VENV)" requirements.lock

$(DEV)/.ready: requirements-dev.lock pyproject.toml
	@sh .ci/venv "$(PYTHON)" "$(DEV)" requirements-dev.lock

$(FUZZ)/.ready: requirements-fuzz.lock pyproject.toml
	@sh .ci/venv "$(PYTHON)" "$(FUZZ)" requirements-fuzz.lock
