"""Whether a map keeps what its theory promises."""
