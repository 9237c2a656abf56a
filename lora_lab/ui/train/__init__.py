"""What a person may set before and while a run trains."""
