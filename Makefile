PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-slow check format build clean

demo: .venv/installed  ## install, then solve the exam, train on it, and grade what was learned
	$(BIN)/rlkit solve exam
	$(BIN)/rlkit train exam --agent ppo

test: .venv/installed-dev  ## the whole suite but the long learning runs
	$(BIN)/pytest --numprocesses auto --quiet

test-slow: .venv/installed-dev  ## learning runs over several seeds
	$(BIN)/pytest -m slow --quiet

check: .venv/installed-dev build  ## format, lint, types, import direction, and the built package
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini
	$(BIN)/pytest --quiet tests/test_imports.py

format: .venv/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

build: .venv/installed-dev  ## sdist, a wheel from it, and an import of every module from that wheel
	rm -rf dist build/wheel
	$(BIN)/python -m build --quiet --outdir dist
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/pip install --quiet --disable-pip-version-check --no-deps dist/*.whl
	cd build && PYTHONPATH=$$(../$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))") \
		wheel/bin/python ../tests/import_every_module.py

clean:
	rm -rf .venv dist build

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable .
	touch $@

.venv/installed-dev: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev]'
	touch $@ .venv/installed
