"""How an agent appears on Discord: name and face."""
