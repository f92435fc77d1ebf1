"""A task's files and the end of its channels: `/task files`, `export`, `archive`, and deliverables."""
