"""What is measured on request, each leaving no trace in the training."""
