# syntax=docker/dockerfile:1
# The image is the static binary, the certificates of public authorities, and nothing else.
#   docker build --build-arg REVISION=$(git rev-parse HEAD) -t jobgraph .
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
# The same sources give the same bytes: no paths, no build id, no cgo.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags="-s -w -buildid=" -o /jobgraph .

FROM scratch
ARG REVISION=unknown
LABEL org.opencontainers.image.title="JobGraph" \
      org.opencontainers.image.description="A GraphQL facade over the cielo24 job API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision=$REVISION
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /jobgraph /jobgraph
USER 65532:65532
# It writes no file: run it with a read-only root. Metrics are reached from the pod's or the
# compose network alone.
ENV JOBGRAPH_ADMIN_LISTEN=:8081
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=4s --start-period=5s CMD ["/jobgraph", "health"]
ENTRYPOINT ["/jobgraph"]
