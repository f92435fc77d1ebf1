"""Start, wire and stop the bot: command line, settings, migrations, login."""
