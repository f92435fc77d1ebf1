"""People's messages to agents: whom they are for, proxies, and what was missed while the bot was away."""
