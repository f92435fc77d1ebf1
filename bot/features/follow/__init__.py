"""What a person is notified of in a task: `/follow`."""
