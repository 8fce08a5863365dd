# What people do here, one word each. The work is in scripts/, and each script installs and builds what it needs.
.DEFAULT_GOAL := help
.PHONY: help build demo test sim soak lint bench fuzz

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

build: ## Build eunoed and eunoe
	@scripts/build.sh

demo: ## Three nodes, a chat file, a kill -9 in the middle (CHATS=FILE.jsonl[.gz])
	@scripts/demo.sh $(CHATS)

test: ## Run every test (TESTS='-p eunoe-core' for some)
	@scripts/test.sh $(TESTS)

sim: ## Simulate clusters, one per seed (SEEDS=2000 FIRST=1)
	@SEEDS=$(SEEDS) FIRST=$(FIRST) scripts/sim.sh

soak: ## Kill, cut power, fill, freeze and flip until something is lost (EUNOE_SOAK_MINUTES=30)
	@scripts/soak.sh

lint: ## Check format, clippy and the protocol
	@scripts/lint.sh

bench: ## Measure, and print a table with ratios
	@scripts/bench.sh $(BENCH)

fuzz: ## Fuzz what reads bytes (FUZZ_SECONDS=60 for each, FUZZ_TARGET=NAME for one)
	@scripts/fuzz.sh
