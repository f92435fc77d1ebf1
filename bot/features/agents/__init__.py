"""Talk to agents and steer them: `/agent`, `/group`, and the menus of their messages."""
