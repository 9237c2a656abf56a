"""A layout that was kept on a larger screen, which is gone: all of it is on the one at hand."""

import pytest

from lora_lab.ui.app import make_window
from tests.ui.seen import settle


@pytest.fixture
def again(qtbot, window, presets):
    """The window of the next start."""
    made = []

    def start():
        window.appearance.save()
        made.append(make_window(lambda opening: None, presets))
        with qtbot.waitSignal(made[0].painted):
            made[0].show()
        settle()
        return made[0]

    yield start
    for one in made:
        one.leave()
        qtbot.waitUntil(lambda one=one: one.closed)
        one.deleteLater()


@pytest.mark.parametrize("size", [(2400, 1300), (3840, 2000)])
def test_what_was_kept_on_a_larger_screen_is_seen_on_this_one(window, again, size):
    window.resize(*size)
    window.runs_dock.show()
    window.runs_dock.setFloating(True)
    window.runs_dock.setGeometry(size[0] - 400, size[1] - 200, 380, 180)
    settle()
    later = again()
    screen = later.screen().availableGeometry()
    least = later.minimumSizeHint()
    assert later.width() <= max(screen.width(), least.width())
    assert later.height() <= max(screen.height(), least.height())
    assert later.setup_dock.width() <= 0.45 * later.width()
    assert all(panel.width() > 100 for panel in later.panels if panel.isVisible())
    floating = later.runs_dock
    assert floating.isFloating()
    assert screen.contains(floating.geometry().center())
    assert screen.left() <= floating.x() < screen.right()
    assert screen.top() <= floating.y() < screen.bottom()
