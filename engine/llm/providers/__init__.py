"""Adapters to model endpoints, each behind `ChatModel` or `Embedder`.

Knows the settings and the ports; imports nothing of admission, store or runtime.
"""
