"""Rows of the bot's own tables: may touch SQLAlchemy and the bot's tables, nothing of Discord."""
