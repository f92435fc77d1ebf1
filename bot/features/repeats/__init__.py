"""Tasks that start on a schedule: `/task repeat`, and who may start them."""
