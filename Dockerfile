# The bot, workers and the sandbox's tools, as an ordinary user. See docs/install.md.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-trixie AS build
# Which extras: mcp native postgres web, and local for the embedded model and the loopback Discord.
ARG EXTRAS="mcp native postgres web"
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY requirements ./requirements
RUN python -m venv /opt/megaagent && \
    for name in core ${EXTRAS}; do \
        /opt/megaagent/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
            --require-hashes -r "requirements/${name}.lock" || exit 1; \
    done
COPY alembic ./alembic
COPY bot ./bot
COPY engine ./engine
RUN /opt/megaagent/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --no-build-isolation --no-deps .

FROM python:${PYTHON}-slim-trixie
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends bubblewrap ca-certificates git libgomp1 tini && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --create-home --uid 10001 --user-group megaagent && \
    install --directory --owner megaagent --group megaagent --mode 0755 /data
COPY --from=build /opt/megaagent /opt/megaagent
ENV PATH=/opt/megaagent/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
# Work under way is committed on SIGINT, as after Ctrl+C.
STOPSIGNAL SIGINT
ENTRYPOINT ["tini", "--", "megaagent"]
CMD ["run"]
