"""What is Discord's own: identities, limits, interactions, rights."""
