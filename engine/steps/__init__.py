"""One step of an agent: load, act, commit, and the application of each effect.

May touch: store, lifecycle, budget.
"""
