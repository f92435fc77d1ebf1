"""What is to be posted, and how it gets there."""
