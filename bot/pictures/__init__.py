"""Pictures of a task: the organisation, and who worked when."""
