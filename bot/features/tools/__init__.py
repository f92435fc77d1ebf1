"""The servers of tools that agents use here: `/tools`, and signing in to them."""
