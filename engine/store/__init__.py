"""The truth: tables and the transactions over them, on SQLite and PostgreSQL alike."""
