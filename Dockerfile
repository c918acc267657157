# kubemu as an image: every component by its command (`docker run kubemu kubelet --help`).
# Builds with BuildKit and without. Package indexes other than PyPI are build arguments, pip's own
# variables; nothing of them stays in the image.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_DEFAULT_TIMEOUT
RUN apt-get update -q && apt-get install -qy --no-install-recommends binutils \
 && python3 -m venv /opt/kubemu
WORKDIR /src
# What it needs comes first, by the hashes of the lock: a layer that stays as long as that does.
COPY requirements/base.txt ./
RUN /opt/kubemu/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
 -r base.txt
COPY pyproject.toml README.md ./
COPY cluster cluster
# Built by the setuptools that is locked, not by another one that pip would fetch.
RUN /opt/kubemu/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps \
 --no-build-isolation .
COPY compose/image/slim.py ./
RUN python3 slim.py /opt/kubemu

# The system that stays: what Python and a shell need.
FROM ${PYTHON_IMAGE} AS system
COPY compose/image/system.sh /tmp/
RUN sh /tmp/system.sh && rm /tmp/system.sh

# For the profile ha: the same image with Debian's etcd (docker build --target etcd).
FROM ${PYTHON_IMAGE} AS etcd-server
RUN apt-get update -q && apt-get install -qy --no-install-recommends etcd-server

FROM scratch AS kubemu
COPY --from=system / /
COPY --from=build /opt/kubemu /opt/kubemu
ENV PATH=/opt/kubemu/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["kubemu"]
CMD ["--help"]
# An image that lacks something is none.
RUN ["python3", "-c", "import cluster.lab.world, cluster.apiserver.component, cluster.images.registry.component, numpy, re2, rich.traceback, structlog, uvloop, zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin')"]

FROM kubemu AS etcd
COPY --from=etcd-server /usr/bin/etcd /usr/bin/etcd

# What is built where nothing else is asked for.
FROM kubemu
