"""MegaAgent on Discord; depends on `engine`, never the reverse."""
