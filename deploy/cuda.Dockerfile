# Detection, the server and training on NVIDIA GPUs:
#
#     docker build -t mdetr-cuda -f deploy/cuda.Dockerfile .
#     docker run --rm --gpus all -p 8080:8080 mdetr-cuda
#
# ONNX Runtime needs CUDA 12 and cuDNN 9. The build downloads its CUDA libraries (250 MB) from NuGet.
FROM node:22-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run --silent build && npm prune --omit=dev --ignore-scripts
RUN ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false \
    && test -f "$(echo node_modules/onnxruntime-node/bin/napi-v*/linux/x64)/libonnxruntime_providers_cuda.so"

FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04@sha256:8aef630a54bc5c5146ae5ce68e6af5caa3df0fb690bb91544175c91f307e4356
COPY --from=build /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/bin bin
COPY --from=build /app/dist dist
COPY --from=build /app/models models
COPY --from=build /app/configs configs
COPY --from=build /app/schemas schemas
COPY --from=build /app/node_modules node_modules
ENV NODE_ENV=production MDETR_CACHE=/tmp/mdetr NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/node", "/app/bin/mdetr.js"]
CMD ["serve", "--host", "0.0.0.0", "--device", "cuda"]
