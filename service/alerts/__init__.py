"""From judged windows to alerts: episodes, severity, what is held back, and how it is said."""
