# A static binary in an empty image: no shell, no package, no root.
FROM rust:1-alpine AS build
RUN apk add --no-cache build-base
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p visavis && mkdir -p /out/data && cp target/release/visavis /out/visavis

FROM scratch
COPY --from=build /out/visavis /visavis
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV VISAVIS_DATA_DIR=/data VISAVIS_LISTEN=[::]:8080
VOLUME /data
EXPOSE 8080/tcp 8080/udp
ENTRYPOINT ["/visavis"]
