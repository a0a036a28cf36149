# A small image that runs as nobody in particular: the program, its plugins, and what they link to.
#
#   docker build -t standpoint .
#   docker run --rm -v "$PWD/data:/data" standpoint
#
# To look at it from outside, give it a token, in a file that user 65532 may read:
#   -p 127.0.0.1:8686:8686 -e STANDPOINT__SERVER__LISTEN=0.0.0.0:8686 \
#   -e STANDPOINT__SERVER__TOKEN_FILE=/data/token
#
# It works when `docker exec CONTAINER standpoint status --data-dir /data/state` says `ready yes`;
# the image asks that itself (HEALTHCHECK). /data must be writable for user 65532, and holds the
# inbox, the results and all state. Another pipeline: -v "$PWD/pipeline.yaml:/etc/standpoint/pipeline.yaml:ro"

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# With commas between them, such as standpoint/tls,standpoint/nats for the workers of a cluster.
ARG FEATURES=standpoint/tls
RUN cargo build --release --locked --features "$FEATURES" \
 && install -D -s -m 755 target/release/standpoint /stage/usr/bin/standpoint \
 && mkdir -p /stage/usr/lib/standpoint /stage/data/inbox \
 && install -s -m 644 target/release/libstandpoint_*.so /stage/usr/lib/standpoint/ \
 && install -D -m 644 packaging/container.yaml /stage/etc/standpoint/pipeline.yaml

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /stage/usr /usr
COPY --from=build /stage/etc /etc
COPY --from=build --chown=65532:65532 /stage/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8686
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["/usr/bin/standpoint", "status", "--data-dir", "/data/state"]
ENTRYPOINT ["/usr/bin/standpoint"]
CMD ["--log-format", "json", "daemon", "-c", "/etc/standpoint/pipeline.yaml"]
