# make run    set up, and train LeNet-5 on MNIST (make run ARGS="model=mlp recipe.max_epochs=1")
# make test   set up, and run the tests
# make lint   formatter, linter, types
# make pages  write every table and figure of README.md and docs/ again, from the records
PYTHON ?= python3
BIN = .venv/bin
SOURCES = conf experiments mnist_arch tests

.PHONY: run test lint pages clean

run: .venv/ready-to-run
	$(BIN)/python -m experiments.run $(ARGS)

test: .venv/ready-to-test
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/ready-to-test
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy mnist_arch

pages: .venv/ready-to-run
	$(BIN)/python -m experiments.reproduce --from-records

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv

# The stamps: a second call installs nothing, a changed setup.cfg does.
.venv/ready-to-run: setup.cfg pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/ready-to-test: setup.cfg pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ .venv/ready-to-run
