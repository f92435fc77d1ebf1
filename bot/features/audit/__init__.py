"""The audit trail of people's decisions: the command, its pages and its export. May use `bot/discord`."""
