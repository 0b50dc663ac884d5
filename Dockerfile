# Checked by hadolint and never built: it was written where no container could run, so the first
# build may need a hand.
# CPU only. docker build -t calm . && docker run --rm calm            runs the demo
#           docker run --rm -v "$PWD/runs:/calm/runs" calm calm demo   keeps its report
#           docker run --rm calm make test                             runs the checks
FROM python:3.12-slim-bookworm

# nle is built from source where it has no wheel; cc also compiles the fast environment at first use.
# openai's client takes certificates from the system; git names the commit of a result.
# Debian keeps no old versions that could be named.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        bison build-essential ca-certificates cmake flex git libbz2-dev make \
    && rm -rf /var/lib/apt/lists/*

# A game engine and a model's text need no root.
RUN useradd --create-home --uid 1000 calm && mkdir /calm && chown calm:calm /calm
USER 1000
WORKDIR /calm

# The packages first: a changed source leaves this layer as it is.
COPY --chown=calm:calm pyproject.toml constraints.txt README.md LICENSE Makefile ./
RUN mkdir calm && touch calm/__init__.py && make .venv/installed-dev && rm -r calm
COPY --chown=calm:calm . .
RUN make --touch .venv/installed-dev .venv/installed-toolkit

ENV PATH="/calm/.venv/bin:$PATH"
CMD ["calm", "demo"]
