"""Workers on a Ray cluster: one that is there, or one of this machine alone. Ray is imported only when it is asked for."""
