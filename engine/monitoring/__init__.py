"""Monitoring at three levels: snapshot, sweep, intervention.

May touch: store, lifecycle, budget.
"""
