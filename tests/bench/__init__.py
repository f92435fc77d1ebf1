"""What the benches judge by."""
