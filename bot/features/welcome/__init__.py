"""The first steps on a server: the welcome with its examples, the offer to start plain words as a task."""
