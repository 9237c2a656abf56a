"""The engine: devices, controls, optimizer, loop and the session thread; it knows nothing of Qt.

`controls`, `commands` and `session` import no torch, so that a window can be painted first.
"""
