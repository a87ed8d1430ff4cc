"""The command line: options in, lines out, no logic.

Each module holds the commands of one room; :mod:`audit_analytics.cli.main` joins them. Commands
import what they need when they run, so that ``--help`` answers at once.
"""
