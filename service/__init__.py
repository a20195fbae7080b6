"""What people run: watching, learning, episodes, alerts, sinks, and the command line."""
