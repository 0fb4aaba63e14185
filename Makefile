# Everything that is done to this repository. run, test and build need only Go,
# git and make; the other targets first build their pinned tools into bin.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --warn-undefined-variables --no-print-directory

# The same for every command, so that all share one build cache; race alone
# needs a C compiler.
export CGO_ENABLED := 0

MODULES := proto pkg . test
FOLDERS := $(filter-out bin/ third_party/,$(wildcard */))
SERVICES := $(patsubst services/%/,%,$(wildcard services/*/))
POLICY := proto/gen/go/fairlead/policy/v1/policy.pb.go

# Flags for fairlead up, and more flags for go test: make run ARGS=--help
ARGS ?=
TESTFLAGS ?=

# For chaos and nemesis: calls per second, scenarios, how long, and what of.
RATE ?=
ONLY ?=
DURATION ?= 30m
SEED ?=

# What runs under the race detector: the packages that share memory. SQL in Go
# is 12 to 40 times slower there, and database/sql does the sharing.
RACE := ./pkg/... ./edge/... ./internal/...
RACE_SKIP := /pkg/store$$

# $(call each,MODULES,COMMAND) runs the command in every module, outside the
# workspace, and fails in the end if one of them did.
each = @failed=0; for m in $(1); do \
	  echo "$$m: $(2)"; (cd $$m && GOWORK=off $(2)) || failed=1; \
	done; exit $$failed

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: ## start everything on this machine; data in .fairlead, Ctrl-C drains
	@go build -o bin/ ./cmd/fairlead
	@exec bin/fairlead up $(ARGS)

.PHONY: build
build: ## build bin/fairlead and bin/edge
	go build -o bin/ ./cmd/fairlead ./cmd/edge

.PHONY: test
test: ## test every module
	go test $(TESTFLAGS) work

.PHONY: race
race: ## test what is concurrent under the race detector; needs a C compiler
	CGO_ENABLED=1 go test -race -shuffle=on $(TESTFLAGS) $$(go list $(RACE) | grep -v '$(RACE_SKIP)')

.PHONY: kill
kill: ## kill -9 everything in a loop of writes, then read all back; ARGS=--help
	go run ./test/cmd/chaos $(ARGS) kill-all

.PHONY: chaos-skeleton
chaos-skeleton: ## kill everything, one replica and etcd under load, in some 8 minutes
	go run ./test/cmd/chaos $(ARGS) kill-all kill-replica etcd-stop etcd-kill

# benchstat is run as it is published: nothing else needs it.
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
BENCH ?= docs/bench/mesh

.PHONY: bench-mesh
bench-mesh: ## measure what the mesh costs on top of grpc-go, in some 7 minutes; ARGS=--help
	@go build -o bin/ ./test/cmd/bench-mesh
	@failed=0; bin/bench-mesh --out $(BENCH).txt $(ARGS) || failed=1; \
	go run $(BENCHSTAT) -col /by $(BENCH).txt > $(BENCH).benchstat.txt; \
	echo "samples in $(BENCH).txt, benchstat's tables in $(BENCH).benchstat.txt"; exit $$failed

.PHONY: chaos
chaos: ## what happens to the mesh in the field, in some 35 minutes; RATE=, ONLY=1,3
	go run ./test/cmd/meshchaos $(if $(RATE),--rate $(RATE)) $(if $(ONLY),--only $(ONLY)) $(ARGS)

.PHONY: nemesis
nemesis: ## all of it at random, for DURATION=30m; SEED= does the same again
	go run ./test/cmd/meshchaos --nemesis $(DURATION) $(if $(SEED),--seed $(SEED)) $(if $(RATE),--rate $(RATE)) $(ARGS)

.PHONY: generate
generate: third_party/.stamp ## write all that is generated: Go, OpenAPI, descriptor images, SQL
	bin/buf generate
	for s in $(SERVICES); do \
	  bin/buf build --as-file-descriptor-set --path proto/fairlead/$$s -o services/$$s/api.binpb; \
	done
	bin/buf build --as-file-descriptor-set --path proto/fairlead/mesh/v1/mesh.proto -o pkg/mesh/status/api.binpb
	bin/buf generate --template buf.gen.example.yaml
	bin/buf build --as-file-descriptor-set --path pkg/example/acme/greeter -o pkg/example/acme/greeter/v1/api.binpb
	bin/buf generate --template buf.gen.test.yaml
	bin/buf build --as-file-descriptor-set --path test/proto/acme/kitchen -o edge/testdata/kitchen.binpb
	bin/buf build --as-file-descriptor-set --path test/proto/acme/recipes -o test/recipes/api.binpb
	bin/buf build --as-file-descriptor-set --path test/proto/acme/echo -o test/mesh/echo/api.binpb
	bin/sqlc generate

.PHONY: fix
fix: tools ## format Go and protos
	gofmt -w $(FOLDERS)
	bin/buf format -w proto
	bin/buf format -w test/proto
	bin/buf format -w pkg/example

.PHONY: lint
lint: format vet staticcheck protos breaking house stale ## check everything that can be checked without running it

.PHONY: format
format: tools
	@unformatted=$$(gofmt -l $(FOLDERS)); \
	if [[ -n $$unformatted ]]; then echo "$$unformatted"; echo "run: make fix"; exit 1; fi
	bin/buf format proto -d --exit-code
	bin/buf format test/proto -d --exit-code
	bin/buf format pkg/example -d --exit-code

.PHONY: vet
vet:
	go vet work
	$(call each,$(MODULES) tools,go vet ./...)

.PHONY: staticcheck
staticcheck: tools
	$(call each,$(MODULES) tools,$(CURDIR)/bin/staticcheck ./...)

.PHONY: protos
protos: third_party/.stamp
	bin/buf lint

# Compares with the commit where this branch left main. Git does not hold the
# third-party protos, so the old contract is compiled against those of today.
.PHONY: breaking
breaking: third_party/.stamp ## refuse changes to the contract that break callers
	@base=$$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || true); \
	if [[ -z $$base ]]; then echo "breaking: no main branch to compare with"; exit; fi; \
	old=$$(mktemp -d); trap 'rm -rf "$$old"' EXIT; \
	git archive "$$base" buf.yaml proto | tar -x -C "$$old"; \
	cp -r third_party "$$old"; \
	echo "buf breaking --against $${base:0:12}"; \
	bin/buf breaking proto --against "$$old/proto"

.PHONY: house
house: tools ## check the house rules: imports, policies, documents, files
	GOWORK=off go -C tools test $(TESTFLAGS) ./...
	bin/house

.PHONY: stale
stale: tools
	bin/house stale $(MAKE) --silent generate

.PHONY: readme
readme: tools ## run what README.md, pkg/README.md and the guide say, word for word
	bin/readme README.md
	bin/readme pkg/README.md
	bin/readme docs/guide-service.md

.PHONY: alone
alone: ## build and test each module without the workspace
	$(call each,$(MODULES),go test $(TESTFLAGS) ./...)

.PHONY: ci
ci: tools lint test alone race build readme ## everything that .ci/run checks

.PHONY: tools
tools: bin/.tools bin/.house ## build the pinned tools into bin

bin/.tools: tools/go.mod tools/go.sum $(wildcard tools/printprotos/*.go)
	GOWORK=off go -C tools build -p 2 -o ../bin/ tool ./printprotos
	@touch $@

bin/.house: bin/.tools $(wildcard tools/house/*.go tools/readme/*.go) $(POLICY)
	GOWORK=off go -C tools build -o ../bin/ ./house ./readme
	@touch $@

# The protos that ours import, printed from the modules that proto/go.mod pins.
third_party/.stamp: proto/go.mod proto/go.sum proto/internal/linked/main.go bin/.tools
	rm -rf third_party
	GOWORK=off go -C proto run ./internal/linked | bin/printprotos third_party/proto
	@touch $@
