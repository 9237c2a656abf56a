"""Small finished pieces that panels and docks are made of."""
