"""Pure, synchronous rules and typed records: tasks, groups, assignments, budgets, prompts. No I/O."""
