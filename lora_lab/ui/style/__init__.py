"""How the window looks and how it writes figures."""
