"""What people are told besides the agents' words: cards, pings, buttons taken off, signs of life."""
