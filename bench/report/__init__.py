"""From records to statistics, verdicts, tables, charts and pages. Nothing here can start a run."""
