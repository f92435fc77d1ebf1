"""What administrators and newcomers need: `/setup`, `/doctor`, `/help`, and joining a server."""
