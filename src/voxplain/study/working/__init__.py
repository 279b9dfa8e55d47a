"""What a worker does with a task: ask a network, make a map, judge maps."""
