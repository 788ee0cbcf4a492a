# make setup   a .venv with everything, tests included
# make app     the dashboard on http://127.0.0.1:8501
# make test    every test, the one in a real browser too
# make test-portable   the numeric tests again, with the kernels of other processors
# make check   ruff and pyright
# make demo-dictionaries   the bundled dictionaries and their atom indices anew, from the bundled models

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup app test test-portable check chromium demo-dictionaries

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed; $(PYTHON) is older. Name another one: make PYTHON=python3.12 setup" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	$(BIN)/python -c 'from itda_core.dictionaries.growing import compile_ahead; from itda_core.analysis.atoms.writing import compile_ahead as indices; compile_ahead.compile_all(); indices.compile_all()' # so that no prompt, training or test need wait
	@touch $(READY)

app: setup
	$(BIN)/itda app

chromium: setup
	@$(BIN)/python tests/e2e/chromium.py

test: setup chromium
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-portable: setup
	$(BIN)/python tests/portable.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

demo-dictionaries: setup
	$(BIN)/python assets/demo/build_dictionaries.py
	$(BIN)/python assets/demo/build_indices.py
