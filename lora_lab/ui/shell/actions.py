"""Everything that can be done from the menus and the toolbar: names, keys, icons, and places.

What an action does is connected by the window; here it is only declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QPushButton, QSizePolicy, QToolBar, QWidget

from lora_lab.ui.style.icons import icon, switch
from lora_lab.ui.style.language import CHOICES
from lora_lab.ui.style.theme import Colors


class Actions(QObject):
    """The window's actions, and the menus and toolbar made of them."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._all: list[QAction] = []
        self._icons: dict[QAction, str] = {}
        self._tips: dict[QAction, str] = {}
        self._toggle: QWidget | None = None
        self._make_run()
        self._make_adapter()
        self._make_files()
        self._make_view()
        self._make_help()
        self.recent_menu = QMenu(self.tr("Open &recent"), window)
        window.addActions([action for action in self._all if action.shortcut().toString()])

    def _make_run(self) -> None:
        tr = self.tr
        self.train = self._action(tr("Train"), "Space", "train", tr("Train, pause or resume"))
        self.stop = self._action(
            tr("Stop"), "Ctrl+.", "stop", tr("End the run at this step and save its adapter")
        )
        self.restart = self._action(
            tr("Restart"), "Ctrl+R", "restart", tr("Start again at step 0 with the settings shown")
        )
        self.find_rate = self._action(
            tr("Find learning rate…"),
            "Ctrl+Shift+F",
            tip=tr("Try rising learning rates, then restore everything"),
        )
        self.suggest_rank = self._action(
            tr("Suggest a rank…"),
            "Ctrl+Shift+G",
            tip=tr("From ΔW's energy, with its loss"),
        )
        self.train.setAutoRepeat(False)
        self.undo = self._action(tr("Undo"), "Ctrl+Z")
        self.redo = self._action(tr("Redo"), "Ctrl+Shift+Z")
        self.undo_edit = self._action(
            tr("Revert to before the last edit"), "Ctrl+Shift+Backspace",
            tip=tr("Restore the step before it, with its settings"),
        )  # fmt: skip
        self.go_back = self._action(
            tr("Revert or branch…"), "Ctrl+Backspace",
            tip=tr("Checkpoints of this run: revert to one, or start a branch from it"),
        )  # fmt: skip
        self.background = self._action(
            tr("Keep training without the window"), "Ctrl+Shift+B",
            tip=tr("In a process of its own: runs of over a minute continue when it is closed"),
        )  # fmt: skip
        self.background.setCheckable(True)
        self.end_note = self._action(
            tr("Notify when a long run ends"),
            tip=tr("By a note of the desktop, for runs of over a minute, while the lab is behind"),
        )
        self.end_note.setCheckable(True)
        self.queue = self._action(tr("Queue…"), "Ctrl+Shift+Q", tip=tr("Add runs and compare them"))

    def _make_adapter(self) -> None:
        tr = self.tr
        self.adapter = self._action(
            tr("Adapter on"),
            "Ctrl+B",
            "",
            tr("Whether Before/After and validation see W + ΔW or W alone"),
        )
        self.adapter.setCheckable(True)
        self.adapter.setChecked(True)
        self.adapter.toggled.connect(self._name_adapter)
        self.evaluate = self._action(tr("Evaluate now"), "Ctrl+Shift+E")
        self.adapter.setAutoRepeat(False)
        self.merge = self._action(
            tr("Merge preview…"), "Ctrl+M", tip=tr("What W + ΔW would lose of ΔW, by dtype")
        )
        self.intruders = self._action(
            tr("Intruder dimensions…"), "Ctrl+I",
            tip=tr("Strong directions of W + ΔW that W does not have: a sign of forgetting"),
        )  # fmt: skip
        self.health = self._action(
            tr("Spectral health…"), "Ctrl+Shift+H",
            tip=tr("Hints of the singular values, each with the loss at a clip"),
        )  # fmt: skip
        self.workshop = self._action(
            tr("Adapter workshop…"), "Ctrl+K", tip=tr("Inspect, resize, convert, merge, compare")
        )
        self.continue_from = self._action(
            tr("Continue training from…"), "Ctrl+Shift+K",
            tip=tr("A new run that starts from an adapter file"),
        )  # fmt: skip

    def _make_files(self) -> None:
        tr = self.tr
        self.open = self._action(
            tr("Open…"), "Ctrl+O", "open", tr("Open a model and data of your own")
        )
        self.open_base = self._action(
            tr("Open another base…"), "Ctrl+Shift+O", tip=tr("Another base for the preset shown")
        )
        self.export = self._action(
            tr("Export…"),
            "Ctrl+E",
            "export",
            tr("Write the adapter for PEFT, ComfyUI, diffusers or llama.cpp"),
        )
        self.save = self._action(tr("Save adapter"), "Ctrl+S")
        self.runs = self._action(
            tr("Runs…"), "Ctrl+L", tip=tr("All runs; resume one that was interrupted")
        )
        self.runs_folder = self._action(tr("Show runs folder"))
        self.quit = self._action(tr("Quit"), "Ctrl+Q")

    def _make_view(self) -> None:
        tr = self.tr
        self.copy_plot = self._action(
            tr("Copy plot"), "Ctrl+Shift+C", tip=tr("The plot clicked last, as a picture")
        )
        self.save_plot = self._action(
            tr("Save plot…"),
            "Ctrl+Alt+S",
            tip=tr("The plot clicked last, as PNG, SVG or CSV"),
        )
        self.reset_layout = self._action(tr("Reset layout"))
        self.next_area = self._action(tr("Next panel"), "F6")
        self.previous_area = self._action(tr("Previous panel"), "Shift+F6")
        self.describe = self._action(
            tr("Describe plots (text)…"), "Ctrl+D", tip=tr("Every visible plot as text")
        )
        self.by_ear = self._action(
            tr("Play plot as sound"), "Ctrl+Shift+S",
            tip=tr("The plot clicked last: pitch follows its curves; again or Esc stops"),
        )  # fmt: skip
        self.full_screen = self._action(tr("Full screen"), "F11")
        self.full_screen.setCheckable(True)
        system = tr("Follow system")
        self.schemes = self._one_of({"system": system, "light": tr("Light"), "dark": tr("Dark")})
        self.languages = self._one_of({**CHOICES, "system": system})

    def _make_help(self) -> None:
        tr = self.tr
        self.bench = self._action(
            tr("SVD bench…"),
            "Ctrl+J",
            tip=tr("Decompose a matrix: rank, truncation, pseudo-inverse"),
        )
        self.palette = self._action(
            tr("Find a command…"), "Ctrl+P", tip=tr("Every action, panel, setting and page by name")
        )
        self.lessons = self._action(
            tr("Lessons…"), tip=tr("Questions, each with a prediction and a run that answers")
        )
        self.dimension = self._action(
            tr("How many numbers?…"), "Ctrl+Shift+D",
            tip=tr("The intrinsic dimension of this task, by random subspaces of growing size"),
        )  # fmt: skip
        self.numbers = self._action(
            tr("Rank or numbers?…"), "Ctrl+Shift+N",
            tip=tr("LoRA, random subspaces and their neighbours at the same trained count"),
        )  # fmt: skip
        self.race = self._action(
            tr("Rank race…"), "Ctrl+Shift+R",
            tip=tr("Several ranks side by side over one base, on the same batches"),
        )  # fmt: skip
        self.found = self._action(
            tr("What did LoRA find?…"),
            tip=tr("Which layers, which rank, which directions: LoRA's section 7 on this model"),
        )
        self.claims = self._action(
            tr("Without regret…"),
            tip=tr("What papers claim of LoRA, tried on this model, with a verdict each"),
        )
        self.handbook = self._action(tr("Handbook"), "Shift+F1")
        self.shortcuts = self._action(tr("Keyboard shortcuts"), "F1")
        self.about = self._action(tr("About LoRA Lab"))

    def fill_menus(self, window: QMainWindow, toggles: Sequence[QAction]) -> None:
        """Hang the actions into the menu bar; `presets_menu` is filled by the window."""
        tr = self.tr
        bar = window.menuBar()
        self.menus: list[QMenu] = []
        file = self._menu(bar.addMenu(tr("&File")), self.open, self.open_base)
        file.addMenu(self.recent_menu)
        self.presets_menu = file.addMenu(tr("Open &preset"))
        file.addSeparator()
        file.addActions([self.runs, self.save, self.export, self.runs_folder])
        file.addSeparator()
        file.addAction(self.quit)
        self._menu(bar.addMenu(tr("&Edit")), self.undo, self.redo)
        run = self._menu(bar.addMenu(tr("&Run")), self.train, self.stop, self.restart)
        run.addSeparator()
        run.addActions([self.find_rate, self.suggest_rank])
        run.addSeparator()
        run.addActions([self.undo_edit, self.go_back])
        run.addSeparator()
        run.addActions([self.background, self.end_note, self.queue])
        adapter = self._menu(bar.addMenu(tr("&Adapter")), self.adapter, self.evaluate)
        adapter.addSeparator()
        adapter.addActions([self.merge, self.intruders, self.health, self.workshop])
        adapter.addSeparator()
        adapter.addAction(self.continue_from)
        view = self._menu(bar.addMenu(tr("&View")))
        theme = view.addMenu(tr("Theme"))
        theme.addActions(list(self.schemes.values()))
        view.addMenu(tr("Language")).addActions(list(self.languages.values()))
        view.addSeparator()
        for number, toggle in enumerate(toggles, 1):
            if number <= 9:
                toggle.setShortcut(QKeySequence(f"Ctrl+{number}"))
            view.addAction(toggle)
        view.addSeparator()
        view.addActions([self.copy_plot, self.save_plot, self.describe, self.by_ear])
        view.addSeparator()
        view.addActions([self.next_area, self.previous_area])
        view.addSeparator()
        view.addActions([self.reset_layout, self.full_screen])
        measured = (self.dimension, self.numbers, self.race, self.found, self.claims)
        self._menu(bar.addMenu(tr("&Learn")), self.lessons, *measured)
        self._menu(
            bar.addMenu(tr("&Help")),
            *(self.palette, self.handbook, self.bench, self.shortcuts, self.about),
        )

    def toolbar(self) -> QToolBar:
        """Train first and plainest; what leaves the window stands at the far end."""
        toolbar = QToolBar(self.tr("Run"))
        toolbar.setMovable(False)
        toolbar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        toolbar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._train_button = QPushButton()
        self._train_button.setProperty("role", "primary")
        self._train_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        # As wide as its longest word, so that nothing moves when Train becomes Pause.
        widest = self._train_button.fontMetrics().horizontalAdvance(self.tr("Continue training…"))
        self._train_button.setMinimumWidth(widest + 64)
        self._train_button.clicked.connect(self.train.trigger)
        self.train.changed.connect(self._sync_train_button)
        self._sync_train_button()
        toolbar.addWidget(self._train_button)
        toolbar.addActions([self.stop, self.restart])
        toolbar.addSeparator()
        toolbar.addAction(self.adapter)
        # The switch itself says on or off; a pressed-in frame around it would say it twice.
        toggle = toolbar.widgetForAction(self.adapter)
        self._toggle = toggle
        self._style_toggle()
        toolbar.setIconSize(QSize(20, 20))
        widest = toggle.fontMetrics().horizontalAdvance(self.tr("Adapter off"))
        toggle.setMinimumWidth(widest + 58)
        self._train_button.setMinimumHeight(toggle.sizeHint().height())
        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        toolbar.addWidget(spacer)
        toolbar.addActions([self.open, self.export])
        return toolbar

    def restyle(self, colors: Colors) -> None:
        """Draw the icons in the colours of the scheme."""
        self._colors = colors
        for action, name in self._icons.items():
            color = colors.on_accent if action is self.train else colors.text
            action.setIcon(icon(name, color, colors.marker))
        self.adapter.setIcon(switch(colors.accent, colors.muted, colors.on_accent, colors.marker))
        if self._toggle is not None:
            self._style_toggle()

    def follow(
        self, ready: bool, begun: bool, running: bool, ended: bool, pretraining: bool = False
    ) -> None:
        """Enable what can be done: a model is `ready`, its run has `begun`, `running`, `ended`.

        While the base is still `pretraining` there is no adapter that anything could be done with.
        """
        if running:
            self._show_train(self.tr("Pause"), "pause")
        else:
            words = self.tr("Continue training…") if ended else self.tr("Resume")
            self._show_train(words if begun else self.tr("Train"), "train")
        for action in (self.train, self.evaluate):
            action.setEnabled(ready)
        self.stop.setEnabled(begun and not ended)
        reason = self.tr("Stage 1 of 2 pretrains the base: there is no adapter yet")
        of_adapter = dict.fromkeys(
            (self.adapter, self.merge, self.export, self.find_rate, self.intruders), ready
        )
        of_adapter |= dict.fromkeys(
            (self.suggest_rank, self.health, self.save, self.undo_edit, self.go_back), begun
        )
        for action, may in of_adapter.items():
            action.setEnabled(may and not pretraining)
            tip = reason if pretraining else self._tips[action]
            if action.toolTip() != tip:
                action.setToolTip(tip)
        self.continue_from.setEnabled(ready)

    def _show_train(self, text: str, name: str) -> None:
        """The words and the icon of the train action: what pressing it would do now."""
        if self.train.text() == text:
            return
        self._icons[self.train] = name
        self.train.setText(text)
        self.train.setIcon(icon(name, self._colors.on_accent, self._colors.marker))

    def _name_adapter(self, on: bool) -> None:
        self.adapter.setText(self.tr("Adapter on") if on else self.tr("Adapter off"))

    def _style_toggle(self) -> None:
        self._toggle.setStyleSheet(
            "QToolButton, QToolButton:checked { background: transparent; }"
            f"QToolButton:disabled {{ color: {self._colors.marker}; }}"
        )

    def _sync_train_button(self) -> None:
        button, action = self._train_button, self.train
        button.setText(action.text())
        button.setIcon(action.icon())
        button.setEnabled(action.isEnabled())
        button.setToolTip(action.toolTip())

    def _menu(self, menu: QMenu, *actions: QAction) -> QMenu:
        menu.addActions(list(actions))
        self.menus.append(menu)  # the shortcuts page reads them
        return menu

    def _one_of(self, titles: Mapping[str, str]) -> dict[str, QAction]:
        """Actions of which one is checked, by name."""
        group, actions = QActionGroup(self), {}
        for name, title in titles.items():
            actions[name] = action = self._action(title)
            action.setCheckable(True)
            group.addAction(action)
        return actions

    def _action(self, text: str, keys: str = "", name: str = "", tip: str = "") -> QAction:
        action = QAction(text, self)
        self._all.append(action)
        if keys:
            action.setShortcut(QKeySequence(keys))
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        if name:
            self._icons[action] = name
        action.setToolTip(f"{tip or text} ({keys})" if keys else tip or text)
        self._tips[action] = action.toolTip()
        return action
