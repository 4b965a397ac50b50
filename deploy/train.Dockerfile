# Training under MPI, on CPUs: docker build -t mdetr-train -f deploy/train.Dockerfile .
# The workers of an MPIJob run its sshd (port 2222, as a user); the operator mounts their keys.
FROM node:22-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run --silent build && npm prune --omit=dev --ignore-scripts

FROM node:22-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c
RUN apt-get update \
    && apt-get install -y --no-install-recommends openmpi-bin openssh-client openssh-server \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \
    && useradd --create-home --uid 1001 mdetr
COPY deploy/ssh_config /etc/ssh/ssh_config.d/mdetr.conf
COPY --chown=mdetr deploy/sshd_config /home/mdetr/sshd_config
COPY --from=build /app/package.json /app/LICENSE /app/
COPY --from=build /app/bin /app/bin
COPY --from=build /app/dist /app/dist
COPY --from=build /app/models /app/models
COPY --from=build /app/configs /app/configs
COPY --from=build /app/schemas /app/schemas
COPY --from=build /app/node_modules /app/node_modules
RUN ln -s /app/bin/mdetr.js /usr/local/bin/mdetr
USER mdetr
WORKDIR /home/mdetr
ENTRYPOINT []
CMD ["mdetr", "--help"]
