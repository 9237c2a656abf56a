"""TASKS: the things that can be learned; a new one is a file in this folder and a line here."""
