"""The kernel program, the header both sides share, and where they are on disk."""
