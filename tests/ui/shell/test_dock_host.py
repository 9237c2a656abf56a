"""The tabs of docks: one bar for each group, wherever the layout came from."""

from PySide6.QtWidgets import QTabBar

from lora_lab.ui.shell.main_window import MainWindow
from tests.ui.seen import settle


def bars(host):
    """The titles of each bar that is seen, and whether it lies at its docks."""
    found = []
    for bar in host.findChildren(QTabBar):
        if bar.isVisible() and bar.count() and not bar.visibleRegion().isEmpty():
            titles = [bar.tabText(place) for place in range(bar.count())]
            docks = [dock for dock in host.docks if dock.windowTitle() in titles]
            found.append((titles, any(d.isVisible() and d.x() == bar.x() for d in docks)))
    return sorted(found)


def test_bars_come_and_go_with_their_docks(qtbot, window, presets, fake_session):
    qtbot.waitUntil(lambda: len(bars(window.host)) == 2)
    settle()
    shipped = bars(window.host)
    assert len(shipped) == 2
    assert all(at_home for _, at_home in shipped)
    again = MainWindow(fake_session, presets)
    assert again.host.restore(window.host.save())
    with qtbot.waitSignal(again.painted):
        again.show()
    qtbot.waitUntil(lambda: bars(again.host) == shipped)
    settle()
    assert bars(again.host) == shipped
    again.commands.reset_layout.trigger()
    qtbot.waitUntil(lambda: bars(again.host) == shipped)
    layers = again.layers_dock
    layers.setFloating(True)
    qtbot.waitUntil(lambda: len(bars(again.host)) == 1)
    layers.setFloating(False)
    qtbot.waitUntil(lambda: len(bars(again.host)) == 2)
    again.leave()
    again.deleteLater()


def test_a_kept_layout_gives_the_plots_what_a_larger_window_has(
    qtbot, window, presets, fake_session
):
    window.resize(1000, 640)
    settle()
    left = window.setup_dock.width()
    again = MainWindow(fake_session, presets)
    again.resize(1000, 640)
    assert again.host.restore(window.host.save())
    again.show()
    settle()
    assert again.setup_dock.width() == left
    again.resize(1600, 900)
    settle()
    assert again.setup_dock.width() == left
    again.leave()
    again.deleteLater()
