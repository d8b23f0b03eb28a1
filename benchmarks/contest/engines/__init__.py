"""The programs compared: `base` has the interface, `registry` the list, every other module one engine."""
