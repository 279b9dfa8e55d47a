"""What `voxplain demo` shows: small networks on phantoms and on a brain template."""
