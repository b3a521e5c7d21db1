# The worker and the command, as a user without rights; its root file system may be read-only:
#   docker build --tag queue-worker .
#   docker run --read-only --tmpfs /tmp --env DATABASE_URL queue-worker check
# Your own jobs: FROM this image, install your package, set QUEUE_WORKER_APP (docs/DEPLOYMENT.md).
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /source
COPY requirements/test.txt requirements/
RUN python -m venv /tools && /tools/bin/pip install --no-cache-dir --require-hashes --requirement requirements/test.txt
COPY requirements/image.txt requirements/
RUN python -m venv /opt/queue-worker && /opt/queue-worker/bin/pip install --no-cache-dir --require-hashes --requirement requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY queue_worker queue_worker
COPY sql sql
RUN /tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/queue-worker/bin/pip install --no-cache-dir --no-deps /wheels/*.whl \
    && /opt/queue-worker/bin/python -m compileall -q /opt/queue-worker/lib

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent queue_worker
COPY --from=build /opt/queue-worker /opt/queue-worker
ENV PATH=/opt/queue-worker/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    QUEUE_WORKER_LOG_FORMAT=json
USER 10001:10001
WORKDIR /tmp
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --retries=3 --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('QUEUE_WORKER_HTTP_PORT', '9464')}/live\", timeout=5)"]
ENTRYPOINT ["queue-worker"]
CMD ["worker"]
