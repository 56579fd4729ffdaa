"""Runs a command with a server at hand: python3 -m support.with_server COMMAND …"""
import subprocess
import sys

from support.server import Server

if __name__ == "__main__":
    with Server() as server:
        sys.exit(subprocess.run(sys.argv[1:], env=server.environment()).returncode)
