"""The engine in a process of its own: a session behind one door that only this user can open."""
