"""The network: one tuned client, and the guard that says which addresses it may reach."""
