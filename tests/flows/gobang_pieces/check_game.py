"""Plays a whole game against the AI by typing moves."""

import subprocess
import sys

moves = "".join(f"{row} {column}\n" for row in range(1, 16) for column in range(1, 16))
done = subprocess.run([sys.executable, "main.py"], input=moves, capture_output=True, text=True, check=False)
assert done.returncode == 0, done.stderr
assert done.stdout.strip().endswith(("You win.", "The AI wins.", "A draw.")), done.stdout[-200:]
print(done.stdout.strip().splitlines()[-1])
