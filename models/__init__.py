"""What judges: windows, features, detectors, calibration, bundles. Pure: no root, no clock."""
