"""Claims: what is said of the records, decided by rules. Importing the room registers the beliefs' rules."""

from bench.report.claims import beliefs as beliefs
from bench.report.claims import by_jobs as by_jobs
