#!/usr/bin/env python
import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

from launch import running

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
    running.join(Path(os.environ.get("DATA_DIR") or Path(__file__).parent / ".data"))
    execute_from_command_line(sys.argv)
