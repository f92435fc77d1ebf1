"""Program writing for the embedded model: candidates, trial runs, selection."""
