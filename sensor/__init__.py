"""From kernel maps to windows: load, sweep, difference, identify. The only importer of bcc."""
