"""When a model call may start: rate, concurrency, fairness between tasks, and patience while it is down.

Knows models only as `ChatModel`; imports nothing of providers, store or runtime.
"""
