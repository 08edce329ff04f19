"""Pictures of the exporter's page in every state and look, for people to judge: build/pictures."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / place) for place in (".", "exporters", "tests")]

from exporter.views import LOOKS, STATES, browser, opened, shown  # noqa: E402

GREY = "html { filter: grayscale(1) }"
TABS = 7  # as far as the first card


def main(states: list[str]) -> None:
    """Make the pictures of these states, or of all."""
    out = ROOT / "build/pictures"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as at, browser() as running:
        for name, look in LOOKS.items():
            with opened(running, look) as window:
                for state in states or [*STATES, "runbook"]:
                    window.set_content(shown(state, Path(at)).decode())
                    if look.grey == "grey":
                        window.add_style_tag(content=GREY)
                    window.screenshot(path=out / f"{state}-{name}.png", full_page=True)
        with opened(running, LOOKS["light"]) as window:
            window.set_content(shown("mixed", Path(at)).decode())
            for number in range(1, TABS + 1):
                window.keyboard.press("Tab")
                window.screenshot(path=out / f"keyboard-{number}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
