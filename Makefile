# Everything runs from .venv; nothing is installed on the host.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: demo install test check lab lab-quick lab-random lab-texts lab-plans lab-churn \
	lab-watch mutants advice soak corpus grouping hostile bench \
	fleet-bench man pictures mermaid \
	monitoring sarif-schema sarif site zipapp deb packages release-check growth fuzz \
	ansible ansible-check ansible-collection clean FORCE

demo: $(STAMP)  ## audit this host, or a sample where it has no groups
	@$(BIN)/iommu-inspect audit --demo; status=$$?; \
	if [ $$status -gt 1 ]; then exit $$status; fi  # 1: it found something

install: $(DEV_STAMP)  ## make the environment that tests and checks run in

# Each test once, on all cores; what is covered is measured in the same run.
WORKERS ?= auto

# A source archive has these trees packed: installers refuse their links.
tests/fixtures/sysfs:
	tar -xzf $@.tar.gz -C $(@D)

test: $(DEV_STAMP) tests/fixtures/sysfs  ## every test, and the floor of coverage
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -p tools.measuring
	$(BIN)/coverage combine --quiet
	$(BIN)/python -m tools.coverage_floor

check: $(DEV_STAMP)  ## lint, types, imports, the rules of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/house --ignore=tests/house/test_readme.py

docs/rules.md: $(DEV_STAMP) FORCE  ## the index of the rules, from the registry
	$(BIN)/python -m tools.rule_index > $@.new && mv $@.new $@

FORCE:

# The lab boots real kernels under QEMU; it skips, and says so, where it cannot.
LAB := $(BIN)/python -m lab
SEED ?= 1
N ?= 100
RANDOM_KERNELS ?= 5.10,6.12,7.3,7.3-own
# Those that are not there yet are built first, a quarter of an hour each.
OWN ?= 6.1-own,6.12-own,7.2-own,7.3-own,7.3-no-group

lab: $(DEV_STAMP)  ## all machines, kernels and seeds, and docs/conformance.md (a day)
	@status=0; \
	$(LAB) run --skip || status=1; \
	$(LAB) run --kernels $(OWN) --skip || status=1; \
	$(LAB) random --seed $(SEED) --count $(N) --kernels $(RANDOM_KERNELS) --skip \
		|| status=1; \
	$(LAB) live --machines reference,sriov,arm-smmu --skip || status=1; \
	$(LAB) plans --skip || status=1; \
	$(LAB) report --skip || status=1; \
	exit $$status

lab-quick: $(DEV_STAMP)  ## two kernels, a few machines: what CI runs
	$(LAB) quick --skip

lab-random: $(DEV_STAMP)  ## N random machines from SEED on: make lab-random SEED=7 N=1
	$(LAB) random --seed $(SEED) --count $(N) --kernels $(RANDOM_KERNELS) --skip

lab-texts: $(DEV_STAMP)  ## what pasted text of guests says, against their captures
	$(LAB) texts --machines all --skip

lab-plans: $(DEV_STAMP)  ## carry plans out in guests, undo them, docs/plans-lab.md
	$(LAB) plans --skip

lab-churn: $(DEV_STAMP)  ## move devices while the tool runs in guests, ten minutes a kernel
	$(LAB) churn --skip

lab-watch: $(DEV_STAMP)  ## run watch in guests while devices change hands
	$(LAB) watch --skip

# Which test runs which line is asked again when code or tests have changed (minutes).
MUTANTS_STAMP := $(VENV)/.installed-mutants
.mutants/coverage: $(MUTANTS_STAMP) $(shell find iommu_inspect tests -name '*.py')
	$(BIN)/python -m tools.mutants map

mutants: N = 100
mutants: .mutants/coverage  ## sample changes of the code that a test should notice
	$(BIN)/python -m tools.mutants run --count $(N) --seed $(SEED)

advice: $(DEV_STAMP)  ## hold all advice against 300 machines, fixtures and captures
	$(BIN)/python -m tools.advice --count 300 --shared

soak: $(DEV_STAMP)  ## fail every read of every capture, one by one (hours)
	$(BIN)/python -m tools.soak --shared

corpus: $(DEV_STAMP)  ## read every capture of ../shared/data, and hold groups against it
	$(BIN)/python -m tools.corpus

grouping: $(DEV_STAMP)  ## group 5,000 random machines twice: as we do, and by a second port
	$(BIN)/python -m tools.grouping --count 5000

hostile: $(DEV_STAMP)  ## 10,000 names that a shell would obey, in all that is printed
	$(BIN)/python -m tools.hostile --names 10000

bench: $(DEV_STAMP)  ## how long it takes beside other tools, as root
	$(BIN)/python -m bench.beside 100 1000 5000 20000 --rounds 3
	$(BIN)/python -m bench.beside 100 300 --calls
	$(BIN)/python -m bench.start
	$(BIN)/python -m bench.guest

man: $(DEV_STAMP)  ## manual pages, into dist/man
	$(BIN)/python -m tools.man dist/man

pictures: $(DEV_STAMP)  ## the pictures of the documentation, with chromium
	$(BIN)/python -m tools.pictures

mermaid:  ## Mermaid's own parser, which a test asks about the pictures; needs npm
	npm install --no-audit --no-fund --loglevel=error --prefix tools/mermaid

monitoring: $(DEV_STAMP)  ## an alert comes and goes, in Prometheus and Alertmanager
	$(BIN)/python -m tools.monitoring

sarif-schema:  ## the schema of SARIF, which tests ask; needs npm
	npm install --no-audit --no-fund --loglevel=error --ignore-scripts \
		--prefix tools/sarif

sarif: $(DEV_STAMP) sarif-schema  ## read our SARIF with sarif-tools (200 MB, its own venv)
	test -x tools/sarif/.venv/bin/sarif || { $(PYTHON) -m venv tools/sarif/.venv \
		&& tools/sarif/.venv/bin/pip install -q sarif-tools; }
	$(BIN)/python -m pytest -q tests/machines/test_sarif.py

site: $(DEV_STAMP)  ## the documentation as a site, into dist/site
	$(BIN)/python -m tools.site dist/site-pages
	$(BIN)/python -m mkdocs build --strict

zipapp: $(DEV_STAMP)  ## the program as one file for any python3, into dist
	$(BIN)/python -m tools.zipapp

# Without the network but for what is not there yet: wheels, and two small Debians.
PACKAGES_STAMP := $(VENV)/.installed-packages

deb: $(PACKAGES_STAMP)  ## the Debian package, into dist
	$(BIN)/python -m tools.packages deb

packages: $(PACKAGES_STAMP)  ## build all packages twice, install and run each (root)
	$(BIN)/python -m tools.packages try

release-check: $(DEV_STAMP)  ## do version, changelogs, tag and artifacts agree?
	$(BIN)/python -m tools.release check

fleet-bench: $(DEV_STAMP)  ## 1,000 and 10,000 hosts, by processes and by a cluster (an hour)
	$(BIN)/python -m bench.fleet --hosts 1000 10000 --dask 10000

growth: $(DEV_STAMP)  ## twice as much of each input, counted in calls of functions
	$(BIN)/python -m bench.growth --calls --size 0.3

HOURS ?= 0.1

fuzz: $(DEV_STAMP)  ## damaged input for every reader, in turn: make fuzz HOURS=4 SEED=7
	$(BIN)/python -m fuzz.all --hours $(HOURS) --seed $(SEED)

.PHONY: ansible ansible-check ansible-collection

# Ansible is not for our own environment: it brings much, and pins some of it.
ANSIBLE := .venv-ansible
ANSIBLE_STAMP := $(ANSIBLE)/.installed
$(ANSIBLE_STAMP): tools/ansible/requirements.txt
	$(PYTHON) -m venv $(ANSIBLE)
	$(ANSIBLE)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

ansible: $(DEV_STAMP) $(ANSIBLE_STAMP) zipapp  ## plays against test hosts by SSH; needs root
	$(BIN)/python -m tools.ansible

ansible-check: $(DEV_STAMP) $(ANSIBLE_STAMP) zipapp  ## ansible-test sanity and ansible-lint
	$(BIN)/python -m tools.ansible.checking

ansible-collection: $(DEV_STAMP) $(ANSIBLE_STAMP) zipapp  ## the collection as a file, into dist
	$(BIN)/python -m tools.ansible.collection dist/ansible
	$(ANSIBLE)/bin/ansible-galaxy collection build --force --output-path dist \
		dist/ansible/ansible_collections/iommu_inspect/host

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(VENV)/pyvenv.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(MUTANTS_STAMP): $(DEV_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[mutants]'
	@touch $@

$(PACKAGES_STAMP): $(DEV_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[packages]'
	@touch $@

$(DEV_STAMP): $(VENV)/pyvenv.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(STAMP)
