# The two commands: `make up` and `make test`. Everything they need, they install.
PYTHON ?= python3
STACK ?= local
VENV := .venv
BIN := $(VENV)/bin
COMMAND := $(BIN)/python -m commands
# What `make pins` resolves, in this order: some are held to the versions of those before them.
PINNED := requirements requirements-dev commands/dvc/requirements tests/commands/burst/skypilot tests/commands/burst/serverless \
	tests/workloads/training/trainer/requirements-wandb $(addprefix workloads/,\
	training/requirements training/requirements-ray proof/requirements compression/requirements \
	compression/requirements-llmcompressor edge/requirements gateway/requirements gateway/requirements-tests \
	bento/requirements rayserve/requirements tracking/requirements serving/requirements serving/requirements-triton \
	drift/requirements evaluation/requirements features/requirements features/requirements-tests) commands/erase/requirements
# Bytecode is kept: without it each of the many Python processes of a run compiles the same modules again.
unexport PYTHONDONTWRITEBYTECODE
# `make choose GPU=H100 COUNT=8`: each setting that is given becomes an option of the command.
options = $(foreach name,$(1),$(if $($(name)),--$(shell echo $(name) | tr A-Z_ a-z-) "$($(name))"))

.PHONY: up preview down env doctor cost review audit choose advise catalog images environments settings showback page simulate reclaim alarm preflight bench burst dvc reproduce erase promote demo test unit coverage check architecture setup pins clean
.DEFAULT_GOAL := help

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

up: $(VENV)/ready  ## Bring the whole platform up on the local cloud
	@$(COMMAND) up --stack $(STACK) $(call options,PROFILE)

preview: $(VENV)/ready  ## What `up` would change, with the policies: PROFILE=sebi-re
	@$(COMMAND) preview --stack $(STACK) $(call options,PROFILE)

down: $(VENV)/ready  ## Destroy the stack and stop every process
	@$(COMMAND) down --stack $(STACK)

env: $(VENV)/ready  ## Print the shell settings for plain pulumi and kubectl: eval "$$(make -s env)"
	@$(COMMAND) env

doctor: $(VENV)/ready  ## List what a broken run left behind
	@$(COMMAND) doctor --stack $(STACK)

cost: $(VENV)/ready  ## Price of a month before anything is made: STACK=prod AGAINST=origin/main
	@$(COMMAND) cost --stack $(STACK) $(call options,AGAINST)

review: $(VENV)/ready  ## What a change does to resources, rupees and policies: STACK=prod AGAINST=origin/main
	@$(COMMAND) review --stack $(STACK) $(call options,AGAINST PROFILE OUT)

audit: $(VENV)/ready  ## The policies over a stack that exists, in any language: STATE=stack.json PROFILE=sebi-re
	@$(BIN)/python -m policies.cli audit "$(STATE)" $(call options,PROFILE CONFIG OUT PROJECT)

choose: $(VENV)/ready  ## Machines that serve, cheapest first: GPU=H100 COUNT=8 FABRIC=rdma MEMORY= PURCHASE= REGION=
	@$(COMMAND) choose $(call options,GPU MEMORY COUNT FABRIC PURCHASE REGION NODES LOST SAVING USD_INR)

advise: $(VENV)/ready  ## GPUs for a model: MODEL=8b TASK=serve DTYPE=bf16 CONTEXT=8192 USERS=50
	@$(COMMAND) advise $(call options,MODEL TASK DTYPE CONTEXT USERS METHOD PURCHASE USD_INR)

catalog: $(VENV)/ready  ## Refresh prices and the rate of the dollar: your clouds, else public feeds; CLOUDS=aws
	@$(COMMAND) catalog $(call options,CLOUDS)

images: $(VENV)/ready  ## Images of the charts, from where nodes pull them, what to copy: STACK=prod
	@$(COMMAND) images --stack $(STACK)

environments: $(VENV)/ready-dev  ## What pods of the local cloud need to run for real (torch: 6 GB), once
	@$(COMMAND) environments

settings: $(VENV)/ready  ## After a change of infra/settings: Pulumi.yaml, docs/settings.md and the schema for editors
	@$(COMMAND) settings

showback: $(VENV)/ready  ## Rupees of the last days, from OpenCost in a cluster: BY=namespace or owner DAYS=7 ADDRESS=
	@$(COMMAND) showback $(call options,ADDRESS DAYS BY)

page: $(VENV)/ready  ## One page over a stack that is up, or of STATE=stack.json: LINEAGE=lineage.json ADDRESS= DAYS=7
	@$(COMMAND) page --stack $(STACK) $(call options,STATE LINEAGE ADDRESS DAYS PROFILE OUT)

simulate: $(VENV)/ready  ## Replay a trace on real Karpenter: STACK=dev AGAINST=local DAYS=7 TRACE=trace.csv
	@$(COMMAND) simulate --stack $(STACK) $(call options,DAYS TRACE AGAINST SEED RECLAIMS START_MINUTES)

reclaim: $(VENV)/ready  ## Play a spot reclaim on the running local cloud: NODE=… (none lists the spot nodes)
	@$(COMMAND) reclaim --stack $(STACK) $(call options,NODE NOTICE_SECONDS)

alarm: $(VENV)/ready  ## Fire one alert of each kind on the running local cloud, and show who got it
	@$(COMMAND) alarm --stack $(STACK)

preflight: $(VENV)/ready  ## Before `up` on a real account: quotas, regions, zones, rights: STACK=prod
	@$(COMMAND) preflight --stack $(STACK)

bench: $(VENV)/$(if $(PART),ready-dev,ready)  ## Times and memory, as ratios against an empty program, or AGAINST=origin/main; PART=compression, drift, evaluation, gateway or training
	@$(COMMAND) bench $(call options,PREVIEWS AGAINST PART) $(if $(SKYPILOT),--skypilot)

burst: $(VENV)/ready  ## Files that run a workload elsewhere: TO=skypilot STACK=prod WORKLOAD= BUCKETS= (docs/burst.md)
	@$(COMMAND) burst --stack $(STACK) $(call options,TO WORKLOAD REGIONS BUCKETS REGISTRY IMAGE OUT)

dvc: $(VENV)/ready  ## A Git repository's data in the lake, by DVC: STACK=prod BUCKETS=buckets.json REPO=../data PLACE= KEY=
	@$(COMMAND) dvc --stack $(STACK) $(call options,BUCKETS REPO PLACE KEY)

reproduce: $(VENV)/ready-dev  ## Make a training run again from its record, on CPU: RUN=s3://…/jobs/train DATA= ANYWAY=1
	@$(COMMAND) reproduce $(call options,RUN DATA) $(if $(ANYWAY),--anyway)

erase: $(VENV)/ready-dev  ## A data principal's data, out of a stack's lake, with proof: PRINCIPAL= COLUMNS=account_id KEY=erase.key
	@$(COMMAND) erase --stack $(STACK) $(call options,PRINCIPAL COLUMNS KEY STATE PLACE MASK CACHE CACHE_KEY LINEAGE) $(if $(AGAIN),--again) $(if $(SURE),--sure) $(if $(YES),--yes)

demo: $(VENV)/ready-dev  ## The whole loop on this machine: data, training, serving, drift, a better model
	@$(COMMAND) demo

promote: $(VENV)/ready-dev  ## A version of a model into production, on the gate's signed verdict: MODEL=fraud VERSION=7 VERDICT=verdict.json
	@$(COMMAND) promote --stack $(STACK) $(call options,MODEL VERSION VERDICT GOLDEN_SET ADDRESS)

setup: $(VENV)/ready-dev  ## Install everything, build the tools
	@$(COMMAND) setup

# A file of tests stays with one process, for what its tests share; each process of tests/e2e has a local cloud. The
# second half runs whatever the first found: who waits for an hour hears of every failure.
test: setup check  ## Every check and every test
	@failed=0; \
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --durations 12 --ignore tests/e2e || failed=1; \
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 12 \
		tests/e2e || failed=1; \
	exit $$failed

unit: $(VENV)/ready-dev  ## The quick tests, some 100 s on two cores: no server, no engine, no imitated cloud
	@HYPOTHESIS_PROFILE=unit $(BIN)/python -m pytest --numprocesses auto --dist loadscope -m "not slow" --ignore tests/e2e

# Python 3.12 and newer count lines at little cost (COVERAGE_CORE=sysmon); on 3.11 the tests take twice as long.
coverage: $(VENV)/ready-dev  ## The tests without an engine, and the share of lines that they run
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --durations 12 --ignore tests/e2e --cov --cov-report= --cov-fail-under 0
	@$(BIN)/python -m tests.coverage_floor

check: $(VENV)/ready-dev  ## Format, lint, types, the order of the house
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright --threads 2
	@$(BIN)/lint-imports

architecture: $(VENV)/ready-dev  ## Draw docs/architecture.svg anew from the imports of the code
	@$(BIN)/python -m commands.architecture

pins: $(VENV)/ready-dev  ## Resolve the requirements again
	@for pinned in $(PINNED); do \
		$(BIN)/uv pip compile -q --universal --no-emit-index-url --no-emit-find-links --python-version 3.11 \
			$$([ -f $$pinned-overrides.txt ] && echo --generate-hashes --override $$pinned-overrides.txt) \
			$$pinned.in -o $$pinned.txt || exit 1; \
	done

clean: down  ## Also remove the virtual environment; the built tools stay in the user's cache
	@rm -rf $(VENV) .localcloud

$(VENV)/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, \
	this is %d.%d: install it, or say make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Python packages of the platform: about a minute, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt || \
		{ echo "pip could not install the packages: is PyPI reachable from here?"; exit 1; }
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready requirements-dev.txt
	@echo "Python packages of the tests (torch is large): a few minutes, once"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt || \
		{ echo "pip could not install the packages: is PyPI reachable from here?"; exit 1; }
	@touch $@
