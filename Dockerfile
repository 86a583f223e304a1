# One image, one command per service: `docker run polycopy python -m services.engine`.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock pyproject.toml README.md ./
RUN python -m venv /opt/polycopy && /opt/polycopy/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY services services
COPY gen gen
RUN python -m venv /opt/hatch && /opt/hatch/bin/pip install --no-cache-dir hatchling \
    && /opt/hatch/bin/python -m hatchling build -t wheel -d /dist \
    && /opt/polycopy/bin/pip install --no-cache-dir --no-deps /dist/*.whl

FROM python:3.11-slim
# The signer's memory is a volume, which takes its owner from here.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin polycopy \
    && install --directory --owner polycopy --mode 0700 /var/lib/polycopy
COPY --from=build /opt/polycopy /opt/polycopy
ENV PATH=/opt/polycopy/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER polycopy
CMD ["polycopy", "--help"]
