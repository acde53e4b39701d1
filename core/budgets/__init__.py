"""Budgets: what a call may cost at worst is held before it is made, and settled once."""
