"""The embedded model's process: weights, download, start and supervision."""
