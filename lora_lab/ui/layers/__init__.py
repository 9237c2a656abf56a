"""The dock that shows every module of the model as a tree."""
