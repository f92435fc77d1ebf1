"""One step of an agent: load, act, commit, and how each effect is applied.

May touch: store, lifecycle, budget.
"""
