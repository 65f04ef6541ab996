# lenslet: an IP camera. `make run` streams, `make test` proves it.

GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
# The software encoder is built in where its header is.
TAGS     = $(if $(wildcard /usr/include/wels/codec_api.h),openh264)
CACHE   := $(CURDIR)/.cache
ARGS    ?=
BENCH   ?=
COUNT   ?= 1
SENDING  = ./rtspd/udp ./rtspd/rtp

.PHONY: run build test plots race virt virt-clients ab dist deb deb-test lint fuzz soak bench bench-smoke bench-arm clean

run: ## build, and stream: the first camera, else the test pattern
	@.ci/deps run
	@$(MAKE) --no-print-directory build
	bin/lensletd $(ARGS)

build: ## bin/lensletd and bin/lensletctl for this machine
	$(GO) build -trimpath -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o bin/ ./cmd/lensletd ./cmd/lensletctl

test: ## unit, race and end-to-end tests; installs what they need
	@.ci/deps test
	@$(MAKE) --no-print-directory race

# The end-to-end tests run alone: real players that must not miss a picture do so
# where compilers and other packages' tests take the processors.
race:
	$(GO) test -race -tags '$(TAGS)' -timeout 15m $(filter-out %/cmd/lensletd,$(shell $(GO) list ./...))
	$(GO) test -race -tags '$(TAGS)' -timeout 30m ./cmd/lensletd
	cd rtspd/pushtest && $(GO) test -mod=mod -race -count 1 -timeout 15m ./... # a module of its own: lenslet needs no media server

virt: ## the tests that need a kernel with V4L2, on the virtual board
	@.ci/deps virt
	board/virt/test
	@$(MAKE) --no-print-directory virt-clients

virt-clients: ## players on this machine against lensletd on the virtual board
	.ci/build arm64 '$(VERSION)' bin/arm64
	CGO_ENABLED=0 GOARCH=arm64 $(GO) test -c -tags virt -o bin/arm64/lensletd.test ./cmd/lensletd
	$(GO) test -c -tags virthost -o bin/board.test ./cmd/lensletd
	cd cmd/lensletd && ../../board/virt/innet ../../bin/board.test -test.run Board -test.v -test.timeout 15m

ab: ## updates in QEMU: what falls back, what stays, and what losses of power leave
	@.ci/deps ab
	.ci/build arm64 '$(VERSION)' bin/arm64
	$(GO) build -o bin/ ./cmd/lensletctl
	board/ab/test bin/arm64/lensletd bin/lensletctl

dist: ## stripped binaries for the boards, with their sizes
	.ci/dist '$(VERSION)'

deb: ## Debian packages for arm64, armhf (ARMv7) and amd64 into dist/
	.ci/deb '$(VERSION)' dist

deb-test: ## the packages, and one through its life on a Debian that is booted for it (needs root)
	@.ci/deps deb
	$(GO) test -tags deb -count 1 -v -run '^TestDebian' -timeout 15m ./systemd

lint:
	.ci/lint

plots: ## what is sent by links that narrow, drawn (rtspd/rate/testdata)
	mkdir -p rtspd/rate/testdata
	go test ./cmd/lensletd -count=1 -run 'TestLinks$$' -plots $(CURDIR)/rtspd/rate/testdata

fuzz: ## whatever reads what the network sends, a minute each
	.ci/fuzz

soak: ## lensletd under load and faults for SECONDS (3600): nothing else is lost, and nothing grows
	@.ci/deps test
	SOAK_SECONDS=$(or $(SECONDS),3600) $(GO) test -tags '$(TAGS) soak' -count 1 -v -run '^TestSoak$$' -timeout 3h ./cmd/lensletd

bench: ## what viewers cost: benchmarks of the parts (for benchstat: COUNT=6), then lensletd beside others (BENCH='-h' tells how)
	@.ci/deps bench
	@mkdir -p $(CACHE)/bench
	$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) ./rtspd/... >$(CACHE)/bench/parts.txt || { cat $(CACHE)/bench/parts.txt; exit 1; }
	@cat $(CACHE)/bench/parts.txt
	cd rtspd/bench && $(GO) run -mod=mod . $(BENCH)

bench-smoke: ## ten viewers for 3 s: nothing lost, nothing allocated, also on ARM by QEMU
	@.ci/deps bench
	cd rtspd/bench && $(GO) test -mod=mod -count 1 -timeout 10m ./...

# Emulated, a call takes so long that Go's scheduler interrupts it and it is made in
# two: not so here, since calls are counted.
bench-arm: ## the send path on 32-bit ARM and arm64: by QEMU on this kernel, and on the virtual board
	@.ci/deps bench
	CGO_ENABLED=0 GOARCH=arm GOARM=6 GODEBUG=asyncpreemptoff=1 $(GO) test -exec qemu-arm -bench . -benchtime 100x $(SENDING)
	CGO_ENABLED=0 GOARCH=arm64 GODEBUG=asyncpreemptoff=1 $(GO) test -exec qemu-aarch64 -bench . -benchtime 100x $(SENDING)
	@.ci/deps virt
	board/virt/test --arch armhf $(SENDING) -- -test.bench . -test.benchtime 100x
	board/virt/test --arch arm64 $(SENDING) -- -test.bench . -test.benchtime 100x

clean:
	rm -rf bin dist
