# make demo    install, train for three minutes, watch it write
# make test    install, run every law and test
# All targets install what they need into .venv; nothing else is touched.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO := runs/demo
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help install demo test check system bench docs clean

help:
	@sed -n 's/^# //p' Makefile; echo "also: install, check, system, bench, docs, clean"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Throughtime needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch setuptools setuptools-scm
	$(BIN)/pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[all,dev]'
	touch $@

demo: install
	$(BIN)/throughtime data get standard-library --out data
	$(BIN)/throughtime train language --text data/standard-library.txt --out $(DEMO) \
		--minutes 3 --evaluate-every 200

test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not system" -n 2

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

system: install
	$(BIN)/python -m pytest -m system tests/system

bench: install
	-$(BIN)/pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[bench]'
	$(BIN)/python bench/language.py
	$(BIN)/python bench/stream.py
	$(BIN)/python bench/cells.py --picture docs/cells.png
	$(BIN)/python bench/crf.py
	$(BIN)/python bench/predict.py
	$(BIN)/python bench/vectors_table.py
	@echo "bench/words.py wants a text: $(BIN)/python bench/words.py --data FOLDER; bench/vectors*.py: --text FILE; bench/folds.py, sequences.py: --data; tag.py: --run"

docs: install
	$(BIN)/pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[docs]'
	$(BIN)/python -m sphinx -W -b html docs docs/_build
	@echo "docs/_build/index.html"

clean:
	rm -rf .venv build dist docs/_build
