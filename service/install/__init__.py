"""oddcall as a service of systemd: the unit, the configuration, and taking both away again."""
