"""Background analyses: job records, the runner and the processes that carry it out."""
