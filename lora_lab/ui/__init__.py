"""The window: the only package that imports Qt; it knows the engine by its records alone."""

from lora_lab.ui.notices.overrides import guard_all

guard_all()  # before any class of the window, or of pyqtgraph, is made
