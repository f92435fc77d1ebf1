"""The web: search and pages, read only.

Touches the network, and only through `fetch` (pages, under the rules of `engine.domain.addresses`) and the
search services that the operator chose; no database. Needs the extra `[web]`.
"""
