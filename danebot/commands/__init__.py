"""The command line of each verb: its options, its help, and what doesn't go together.

A module for each, imported when its verb is called; it imports in turn what the verb does.
"""
