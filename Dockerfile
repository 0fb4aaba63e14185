# Two images of one build: "edge", which faces the internet and holds no service
# and no database driver, and "fairlead", which runs any part.
#
#   docker build --target edge -t fairlead-mesh/edge:dev .
#   docker build --target fairlead -t fairlead-mesh/fairlead:dev .

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOWORK=off

# The modules alone first: this layer stays until one of them changes.
COPY go.mod go.sum ./
COPY pkg/go.mod pkg/go.sum pkg/
COPY proto/go.mod proto/go.sum proto/
RUN go mod download

# With .git, from which Go takes the version that "fairlead status" shows. Go
# compiles for the machine that builds, and for others without emulating them.
COPY . .
ARG TARGETOS TARGETARCH
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -ldflags=-s -o bin/ ./cmd/edge ./cmd/fairlead

# Nothing but the program: no shell, no package to patch. The authorities are for
# a database or a key server whose certificate is of a public one.
FROM scratch AS base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
USER 65532:65532

FROM base AS edge
COPY --from=build /src/bin/edge /edge
EXPOSE 8080 8443 9090
ENTRYPOINT ["/edge"]

FROM base AS fairlead
COPY --from=build /src/bin/fairlead /fairlead
EXPOSE 7000 8080 8443 9090
ENTRYPOINT ["/fairlead"]
