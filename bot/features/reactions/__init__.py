"""Reactions as verbs on agents' messages, questions and cards; the actions are those of other features."""
