"""Agents and tasks from recruiting to the end: join, leave, replace, wrap up, audit, end.

May touch: store.
"""
