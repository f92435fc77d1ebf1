"""Store the bot's own tables: may use SQLAlchemy and the bot's tables, nothing of Discord."""
