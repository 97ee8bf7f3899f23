# Rota with all stores, for an application in /app: docker run --env-file=jobs.env -v ./shop:/app rota
# An application with requirements of its own has an image of its own: rota generate dockerfile.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY rota rota
ARG EXTRAS=postgres,mysql,redis,web,sentry
RUN python -m venv /opt/rota && /opt/rota/bin/pip install --no-cache-dir ".[$EXTRAS]"

FROM python:3.11-slim
ENV PATH=/opt/rota/bin:$PATH PYTHONUNBUFFERED=1
COPY --from=build /opt/rota /opt/rota
WORKDIR /app
USER 1000:1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=1m --timeout=20s --start-period=30s CMD ["rota", "workers", "--here"]
# Any other command takes its place: docker run ... rota tick
ENTRYPOINT ["rota"]
CMD ["start", "--processes", "1"]
