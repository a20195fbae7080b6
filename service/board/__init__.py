"""The running watch as a picture: bounded, written once a tick, read by web, metrics and top."""
