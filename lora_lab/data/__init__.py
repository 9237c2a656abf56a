"""Data that people bring: tables, texts and folders of images, read, mapped, split and encoded."""
