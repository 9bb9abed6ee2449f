# syntax=docker/dockerfile:1
# kurir with Chromium. Not built in this project's CI (no engine there): read before you trust it.

FROM node:20-bookworm-slim AS page
WORKDIR /src
COPY Makefile package.json package-lock.json tsconfig.json ./
COPY js ./js
COPY sandbox/page ./sandbox/page
COPY web ./web
RUN apt-get update \
 && apt-get install -y --no-install-recommends make \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p js/dist sandbox/dist web/dist \
 && make page

FROM golang:1.26-bookworm AS build
ARG VERSION=docker
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=page /src/js/dist ./js/dist
COPY --from=page /src/sandbox/dist ./sandbox/dist
COPY --from=page /src/web/dist ./web/dist
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /kurir .

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends chromium-headless-shell ca-certificates tini tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /home/kurir kurir \
 && install -d -o kurir -g kurir -m 0700 /data
COPY --from=build /kurir /usr/local/bin/kurir
USER kurir
# Beyond loopback kurir wants an admin token: set KURIR_ADMIN_TOKEN or KURIR_ADMIN_TOKEN_FILE.
ENV KURIR_ADDR=0.0.0.0:8080 KURIR_DATA=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["kurir", "doctor", "--alive"]
STOPSIGNAL SIGTERM
# tini reaps what Chromium leaves; kurir itself ends Chromium.
ENTRYPOINT ["tini", "--", "kurir"]
CMD ["serve"]
