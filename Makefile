# One command per intention.  Each installs what it needs and is instant the second time; on a host that is
# in use it installs nothing, and says why (HERE=yes: all the same; nothing is removed or started even so).
#
#   make test            the whole suite (T=path: just that, for instance T=tests/lab; PROVE=all: every
#                        point and many more examples, where the suite takes a sample)
#   make test-debian     the same in roots of Debian 12 and 13 (RELEASE=trixie: in one; T=… as above)
#   make packages        Debian's packages, in clean roots of Debian 12 and 13: build/packages/RELEASE
#   make test-packages   the same, then installed, upgraded, run and purged there
#   make test-container  the container file, built and run in such a root by buildah
#   make test-floors     the tests that need no servers, with the oldest dependencies that do
#   make lint            ruff, mypy --strict, the import contracts
#   make check           lint, the tests under every Python of this machine, and what they cover
#   make demo            a rollover in front of your eyes, on loopback
#   make lab             a lab to play with by hand
#   make bench           the benchmarks
#   make mutants         small wrong edits of the rules that a test must notice (ROOM=gate: one room)
#   make prove           what shows the promises: histories, small worlds, crash points (MINUTES=20: so
#                        long; PART=histories: one part; SEED=n: the same chances again)
#   make release         wheel, sdist, bill of materials and checksums in dist/, by tools pinned by hash
#   make audit           known vulnerabilities in what danebot needs and what builds it (pip-audit)
#   make docs            the documentation as a site: build/site
#   make clean           removes what was built, not what was installed with apt

SHELL := /bin/sh
BIN := .venv/bin
JOBS ?= 6
T ?=
COVERAGE ?=
ROOM ?=
MINUTES ?= 60
PART ?=
SEED ?=
RELEASE ?= bookworm trixie
# The tests start danebot over and over: what was compiled is kept.
export PYTHONDONTWRITEBYTECODE =
# Read by tests/amounts.py.
export PROVE

.PHONY: all venv deps lab-deps test test-others test-debian test-floors packages test-packages \
    packages-here test-packages-here test-container test-container-here lint check demo lab bench mutants prove release audit docs clean
all: check

venv: .venv/stamp
deps: build/deps-all.stamp build/certbot-venv/stamp .venv/stamp
lab-deps: build/deps-lab.stamp build/certbot-venv/stamp .venv/stamp

build/deps-%.stamp: tools/install-deps
	@mkdir -p build
	flock build/deps.lock tools/install-deps $*
	@touch $@

.venv/stamp: pyproject.toml | build/deps-lab.stamp
	python=$$(tools/find-pythons) && { [ -x $(BIN)/python ] || "$$python" -m venv .venv; }
	$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[dev]'
	@touch $@

# The newest certbot, apart from danebot's packages and from Debian's certbot.
build/certbot-venv/stamp: | build/deps-lab.stamp
	python=$$(tools/find-pythons) && "$$python" -m venv build/certbot-venv
	build/certbot-venv/bin/python -m pip install -qq --disable-pip-version-check certbot
	build/certbot-venv/bin/certbot --version
	@touch $@

# Once for all workers, each of which would compile every test in the first run.
build/compiled.stamp: | .venv/stamp
	$(BIN)/python -m pytest --collect-only -qq >/dev/null
	@touch $@

ifdef T
test: deps
	$(BIN)/python -m pytest $(T)
else
test: deps build/compiled.stamp
	@mkdir -p build/coverage
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(COVERAGE)
endif

# The tests that need no servers, under every other Python of this machine.
test-others: deps
	@tools/test-others $(BIN)/python $$(( $(JOBS) / 2 ))

test-debian:
	@for release in $(RELEASE); do \
	    tools/in-debian $$release test JOBS=$(JOBS) $(if $(T),T='$(T)') || exit 1; done

# With exactly the versions that pyproject.toml has as floors, which are Debian 12's.
test-floors: .venv/stamp
	@mkdir -p build/venvs
	@sed -n '/^dependencies = /,/^]/ s/^ *"\(.*\)>=\([0-9.]*\)".*/\1==\2.*/p' pyproject.toml \
	    >build/floors.txt
	PIP_CONSTRAINT=$(CURDIR)/build/floors.txt tools/make-venv $(BIN)/python build/venvs/floors '.[test]'
	build/venvs/floors/bin/python -m pytest -q -n $(JOBS) -m 'not lab and not once'

packages:
	@for release in $(RELEASE); do \
	    tools/in-debian --clean $$release -s packages-here || exit $$?; done

test-packages: packages
	@for release in $(RELEASE); do \
	    tools/in-debian --clean $$release -s test-packages-here || exit $$?; done

test-container:
	tools/in-debian --clean trixie -s test-container-here

packages-here:
	tools/packages build
test-packages-here:
	tools/packages try
test-container-here:
	tools/try-container

lint: .venv/stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The complete suite comes last, so that its closing lines are the last that are seen.
check: lint test-others
	$(MAKE) test COVERAGE="--cov --cov-report=term"

demo: lab-deps
	$(BIN)/python tools/demo.py

lab: lab-deps
	@PYTHONPATH=tests $(BIN)/python -m lab up

bench: deps
	$(BIN)/python -m pytest -o python_files='bench_*.py' -s tests/bench

mutants: .venv/stamp
	PYTHONPATH=tools $(BIN)/python -m mutants $(addprefix --room ,$(ROOM))

prove: deps
	@PYTHONPATH=.:tests $(BIN)/python -m prove --minutes $(MINUTES) $(if $(PART),--part '$(PART)') \
	    $(if $(SEED),--seed $(SEED))

release:
	tools/release

# --strict: where the database of vulnerabilities can't be asked, that is no good news.
audit: .venv/stamp
	$(BIN)/pipx run pip-audit --strict --require-hashes --disable-pip -r packaging/release.txt
	$(BIN)/pipx run pip-audit --strict .

docs: .venv/stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
