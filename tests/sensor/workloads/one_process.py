"""Make exactly N getppid calls."""

import os
import sys

for _ in range(int(sys.argv[1])):
    os.getppid()
print(os.getpid())
