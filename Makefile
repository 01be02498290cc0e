# Five targets, no logic: what each does is in the script it calls. README.md has the same commands for Windows and macOS.
#
#   make site      benchmarks on this machine (about five minutes, once), then the site
#   make serve     the site with live reload, for editing
#   make refresh   the quick benchmarks again, as a new session
#   make test      the whole test suite
#   make lock      new versions of all dependencies, within what pyproject.toml allows, out for a week or longer
#
# Another interpreter: make PYTHON=python3.12 site

PYTHON ?= python3
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --quiet --no-config --upgrade --universal --fork-strategy fewest --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --exclude-newer "7 days" --custom-compile-command "make lock"

.DEFAULT_GOAL := site
.PHONY: site serve refresh test lock

# Exit code 1 of the benchmarks means that a cell failed. That is a record too, and the site shows it.
site: .venv/.installed
	$(BIN)/python scripts/refresh_benchmarks.py --profile quick --resume || [ $$? -eq 1 ]
	$(BIN)/mkdocs build --strict
	@echo
	@echo "The site is built. To read it, run: $(BIN)/python -m http.server --bind 127.0.0.1 --directory site"
	@echo "then open http://127.0.0.1:8000/ (search and clean addresses need a server; a plain look: site/index.html)"

serve: .venv/.installed
	$(BIN)/mkdocs serve --no-strict

refresh: .venv/.installed
	$(BIN)/python scripts/refresh_benchmarks.py --profile quick

# Tests of a file share what is slow to make, so neighbours run in one process, until another has nothing left to do;
# whole sites are made once for all processes.
test: .venv/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/lint-imports
	$(BIN)/mypy --no-error-summary
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

lock: .venv/.installed
	$(COMPILE) requirements/uv.in --output-file requirements/uv.txt
	$(COMPILE) pyproject.toml --extra bench --extra energy --extra site --extra dev --output-file requirements/full.txt
	$(COMPILE) pyproject.toml --extra energy --extra site --extra dev -c requirements/full.txt --output-file requirements/site.txt
	$(COMPILE) pyproject.toml --extra bench --extra energy --extra jax -c requirements/full.txt --output-file requirements/jax.txt
	$(COMPILE) pyproject.toml --extra bench --extra energy --extra cuda -c requirements/full.txt -c requirements/jax.txt --output-file requirements/cuda.txt
	$(COMPILE) pyproject.toml --extra slurm -c requirements/full.txt --output-file requirements/slurm.txt
	$(COMPILE) requirements/release.in --output-file requirements/release.txt
	$(COMPILE) requirements/zensical.in --output-file requirements/zensical.txt

# Byte code is compiled now, so that the first benchmark does not count it as import time.
.venv/.installed: requirements/uv.txt requirements/full.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "make: $(PYTHON) is missing or not Python 3.11 to 3.13, the versions TensorFlow is built for; name another one: make PYTHON=python3.12 site" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot create environments; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --no-config --python $(BIN)/python --compile-bytecode --require-hashes -r requirements/full.txt
	$(BIN)/uv pip install --quiet --no-config --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
