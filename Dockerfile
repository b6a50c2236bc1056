# One image for every role: the executable and nothing else. `docker build -t throughline .`
# Handlers are added on top: FROM throughline, then COPY handlers /handlers.

FROM oven/bun:1.4.5 AS build
WORKDIR /build
# The packages change less often than the sources, and are a layer of their own.
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
RUN bun run compile && mkdir data handlers

# glibc, certificates, and the user nonroot (65532); no shell, no package manager.
FROM gcr.io/distroless/base-debian12:nonroot
LABEL org.opencontainers.image.title="Throughline" \
  org.opencontainers.image.description="A task system where every task is one trace" \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.licenses="MIT"
COPY --from=build /build/dist/throughline /usr/local/bin/throughline
COPY --from=build --chown=65532:65532 /build/data /data
COPY --from=build /build/handlers /handlers
# Inside a container the network is the border, not loopback. Which network that is the image cannot know: its gateway
# starts with THROUGHLINE_API_KEYS_FILE, or where THROUGHLINE_ALLOW_UNAUTHENTICATED=true says that nothing else gets in.
# /handlers is ./handlers from here.
WORKDIR /
# HOME for a user that is not in /etc/passwd: the AWS client looks there for its files, and does not do without.
# Bun's own bound of 256 calls by fetch is low for handlers that wait for slow servers.
ENV HOME=/home/nonroot \
  BUN_CONFIG_MAX_HTTP_REQUESTS=4096 \
  THROUGHLINE_DATA_DIR=/data \
  THROUGHLINE_GATEWAY_LISTEN=0.0.0.0:8080 \
  THROUGHLINE_TASK_SERVICE_LISTEN=0.0.0.0:8081 \
  THROUGHLINE_ADMIN_LISTEN=0.0.0.0:9464
VOLUME /data
EXPOSE 8080 8081 9464
USER 65532:65532
STOPSIGNAL SIGTERM
# There is no shell and no curl: the executable asks itself.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["/usr/local/bin/throughline", "health"]
ENTRYPOINT ["/usr/local/bin/throughline"]
CMD ["serve"]
