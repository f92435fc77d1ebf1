"""Pure and synchronous: the rules of tasks, groups, agents, assignments, budgets and prompts."""
