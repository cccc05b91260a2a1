# One recipe for every service:
#   docker build --build-arg SERVICE=disposition -t outdial/disposition:0.1.0 .
# The base image is an argument: a release names it with its digest. Packages come from the index that pip is configured with
# where the image is built, each pinned with its hash. Rules: tools/manifests/image.py.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG SERVICE
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY requirements.lock ./
COPY tools/__init__.py tools/
COPY tools/manifests/ tools/manifests/
COPY libs/ libs/
COPY services/ services/
# Of the workspace's lock, what this service needs and what builds its wheel.
RUN python -m tools.manifests.locked "${SERVICE}" > service.lock \
 && python -m tools.manifests.locked hatchling > build.lock
RUN python -m venv /opt/outdial \
 && /opt/outdial/bin/python -m pip install --require-hashes --only-binary :all: -r service.lock
RUN python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --require-hashes --only-binary :all: -r build.lock \
 && /opt/build/bin/python -m pip wheel --no-deps --no-index --no-build-isolation --wheel-dir wheels libs/contracts libs/runtime "services/${SERVICE}" \
 && /opt/outdial/bin/python -m pip install --no-deps --no-index wheels/*.whl \
 && /opt/outdial/bin/python -m compileall -q /opt/outdial/lib \
 && ln -s "${SERVICE}" /opt/outdial/bin/service

FROM ${PYTHON_IMAGE}
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /opt/outdial /opt/outdial
USER 10001:10001
ENTRYPOINT ["/opt/outdial/bin/service"]
