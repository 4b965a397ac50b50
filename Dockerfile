# The server with its embedded model: docker build -t mdetr . && docker run --rm -p 8080:8080 --network ... mdetr
# It needs neither network nor a writable file system: docker run --network none --read-only mdetr
FROM node:22-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run --silent build && npm prune --omit=dev --ignore-scripts
# Native libraries of other systems, and what only development reads.
RUN arch=$(node -p process.arch) \
    && find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 ! -name linux -exec rm -r {} + \
    && find node_modules/onnxruntime-node/bin/napi-v*/linux -mindepth 1 -maxdepth 1 ! -name "$arch" -exec rm -r {} + \
    && mkdir /image && mv package.json bin dist models schemas LICENSE node_modules /image/
# The programs are compiled now, so that the server is ready within seconds and writes nothing.
RUN cd /image && MDETR_CACHE=/image/cache node dist/cli/main.js detect /app/examples/scene.png --caption "a cube" > /dev/null

FROM gcr.io/distroless/nodejs22-debian12:nonroot@sha256:13593b7570658e8477de39e2f4a1dd25db2f836d68a0ba771251572d23bb4f8e
WORKDIR /app
COPY --from=build /image /app
ENV NODE_ENV=production MDETR_CACHE=/app/cache MDETR_OFFLINE=1
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --start-period=10s CMD ["/nodejs/bin/node", "-e", "fetch('http://127.0.0.1:8080/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/cli/main.js"]
CMD ["serve", "--host", "0.0.0.0"]
