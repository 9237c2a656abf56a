"""What is asked of a trained adapter on request: merging and intruder dimensions."""
