"""What people can do, one folder a feature: commands, actions, buttons, windows."""
