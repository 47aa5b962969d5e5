# make run          set up, and train LeNet-5 on MNIST (make run ARGS="model=mlp recipe.max_epochs=1")
# make test         set up, and run the tests (make test ARGS=tests/models, or ARGS=--cov for coverage)
# make test-oldest  the tests again, with the oldest versions that pyproject.toml allows
# make endurance    kill trainings, feed readers and page rubbish, go to odd places (an hour)
# make lint         formatter, linter, types
# make pages        write every table and figure of README.md and docs/ again, from the records
# make docs         README.md, docs/ and the API as a site: build/site/index.html
PYTHON ?= python3
BIN = .venv/bin
OLDEST = .venv-oldest/bin
TYPED = conf experiments mnist_arch
SOURCES = $(TYPED) docs tests

.PHONY: run test test-oldest endurance lint pages docs clean

run: .venv/ready-to-run
	$(BIN)/python -m experiments.run $(ARGS)

test: .venv/ready-to-test
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

test-oldest: .venv-oldest/ready-to-test
	$(OLDEST)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

endurance: .venv/ready-to-test
	$(BIN)/python -m tests.endurance $(ARGS)
	$(BIN)/python -m tests.endurance.hostile
	$(BIN)/python -m tests.endurance.fuzz
	$(BIN)/python -m tests.endurance.environments
	$(BIN)/python -m tests.page.load
	$(BIN)/python -m tests.endurance.page

lint: .venv/ready-to-test
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy $(TYPED)

pages: .venv/ready-to-run
	$(BIN)/python -m experiments.reproduce --from-records

docs: .venv/ready-for-docs
	$(BIN)/sphinx-build --quiet --fresh-env --fail-on-warning -c docs -d build/doctrees . build/site
	@echo build/site/index.html

clean:
	rm -rf .venv .venv-oldest build docs/reference *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The stamps: a second call installs nothing, a changed pyproject.toml does.
.venv/ready-to-run: pyproject.toml setup.cfg | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/ready-to-test: pyproject.toml setup.cfg | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ .venv/ready-to-run

.venv/ready-for-docs: pyproject.toml setup.cfg | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@ .venv/ready-to-run

.venv-oldest/ready-to-test: pyproject.toml setup.cfg | .venv-oldest/bin/python
	$(OLDEST)/python -m tests.lower_bounds > .venv-oldest/constraints.txt
	$(OLDEST)/python -m pip install --quiet --constraint .venv-oldest/constraints.txt --editable '.[test]'
	@touch $@

.venv/bin/python .venv-oldest/bin/python:
	$(PYTHON) -m venv $(@D:/bin=)
