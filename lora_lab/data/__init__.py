"""Data that people bring: rows of tables and text, folders of images; read, mapped, split, encoded."""
