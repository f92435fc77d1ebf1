"""Tables, database access and queries, on SQLite and PostgreSQL."""
