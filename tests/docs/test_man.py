from __future__ import annotations

import make_man


def test_the_manual_page_is_what_the_command_line_says() -> None:
    assert make_man.PAGE.read_text() == make_man.page(), "run: python tools/make_man.py"
