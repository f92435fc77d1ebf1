"""The tree of caps: reservation, settlement, warnings, questions at a reached cap.

May touch: store, lifecycle.
"""
