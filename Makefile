# `make demo` sets up and runs the main job; `make test` sets up and passes the tests. Nothing else is needed.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: setup demo test check docs bench bench-tagger bench-search bench-links bench-scale bench-recurrence clean

setup: $(VENV)/.ready

# pip says nothing but errors.
$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "需要 Python 3.11 或更新的版本，现在是 " + sys.version.split()[0] + "；请用 make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@echo '正在安装依赖（首次需几分钟）……'
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/jixiao models pull
	@touch $@

demo: setup
	$(BIN)/jixiao demo

test: setup
	$(BIN)/python -m pytest --cov --cov-report=term

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python docs/make_cli.py --check

docs: setup
	$(BIN)/python docs/make_cli.py

bench: setup $(VENV)-peers/.ready
	$(BIN)/python benchmarks/speed.py --peers $(VENV)-peers/bin/python

bench-tagger: setup
	$(BIN)/python benchmarks/tagger.py

# The peers live in an environment of their own; it is made once.
$(VENV)-peers/.ready: benchmarks/peers.txt
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip install --quiet --quiet --disable-pip-version-check -r benchmarks/peers.txt
	@touch $@

bench-search: setup $(VENV)-peers/.ready
	$(BIN)/python benchmarks/search.py --peers $(VENV)-peers/bin/python

bench-links: setup
	$(BIN)/python benchmarks/links.py

bench-scale: setup
	$(BIN)/python benchmarks/scale.py

bench-recurrence: setup
	$(BIN)/python benchmarks/recurrence.py

clean:
	rm -rf $(VENV) $(VENV)-peers library demo-output
