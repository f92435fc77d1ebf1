"""People's commands as transactions: each returns the id asked for and whom to wake."""
