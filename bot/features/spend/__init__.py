"""Who spent what on which task and model: the command, its text and its picture. May use `bot/discord`."""
