# The worker and the ingress of this project. Which of them a container is, its command says:
#
#   docker build -t nextevent .
#   docker run nextevent node --conditions=source --import tsx worker/main.ts
#
# The configuration and the workflows are in the image: a new version of them is a new image.

FROM node:20.20.2-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:20.20.2-bookworm-slim
ENV NODE_ENV=production TZ=UTC
WORKDIR /app
COPY --from=modules /app/node_modules ./node_modules
COPY . .
# The image's user `node`. The files are root's: what runs can not change itself.
USER 1000:1000
EXPOSE 8088 9464
# In the form of a list, so that signals reach Node.
CMD ["node", "--conditions=source", "--import", "tsx", "ingress/main.ts"]
