"""Fixtures for all tests; the lab's are for tests marked ``lab``."""

from lab.fixtures import fresh_tree, lab, running_lab

__all__ = ["fresh_tree", "lab", "running_lab"]
