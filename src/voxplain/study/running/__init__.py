"""Who does the tasks: worker processes, the schedule, limits, faults."""
