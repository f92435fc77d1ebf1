"""Answers to questions that only people may decide: buttons, windows, and what a reply means."""
