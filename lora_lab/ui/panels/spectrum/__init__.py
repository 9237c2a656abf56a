"""The panel that draws the singular values of ΔW, one file for each view."""
