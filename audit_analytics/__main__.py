"""Run the command line with ``python -m audit_analytics``."""

from audit_analytics.cli.main import main

main()
