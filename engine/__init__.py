"""A durable hierarchy of agents; knows nothing of Discord."""
