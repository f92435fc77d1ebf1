"""Handlers of people's commands, one transaction each: they return an id and the agents to wake."""
