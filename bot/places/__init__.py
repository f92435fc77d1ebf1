"""The channel or thread of each group: which it gets, its creation and repair, marks and webhooks."""
