"""Admission of model calls: rate, concurrency, fairness between tasks, and waiting while an endpoint is down.

Knows models only as `ChatModel`; imports nothing of providers, store or runtime.
"""
