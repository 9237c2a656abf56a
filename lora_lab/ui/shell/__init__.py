"""The main window: menus, docks, keyboard, status and what is undone."""
