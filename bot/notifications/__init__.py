"""Notify people about tasks: live cards, pings to followers, start replies, outages, typing."""
