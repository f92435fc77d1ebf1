"""What runs agents: turns, dispatchers, workers, the schedule and the clock."""
