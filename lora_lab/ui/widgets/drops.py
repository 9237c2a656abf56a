"""What is dragged over the window from elsewhere: a hundred thousand files, for all one knows."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QUrl

LISTED = 2**20  # bytes of a list of places; Qt takes a second to make links of ten megabytes


def local_paths(data: QMimeData, most: int) -> list[str]:
    """The first files and folders in it, at most so many; what lies on the web is passed over."""
    if not data.hasUrls():
        return []
    found = []
    for line in bytes(data.data("text/uri-list").left(LISTED)).splitlines():
        url = QUrl.fromEncoded(line)
        if url.isLocalFile():
            found.append(url.toLocalFile())
            if len(found) == most:
                break
    return found
