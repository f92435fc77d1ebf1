"""Program writing for the embedded model: candidates, trial runs, selection.

Tuned on interactive two-player programs that read standard input; see `candidate_selection`.
"""
