"""Shared Discord code: context, interactions, access rights, look-up, errors and formatting."""
