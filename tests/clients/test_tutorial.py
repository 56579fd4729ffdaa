"""The tutorial under examples/, run as a reader runs it: the tuned model must be right more often than its base."""
import os
import re
import subprocess
import sys
import unittest

from support.server import ROOT, Server


class TestTutorial(unittest.TestCase):
    def test_the_tuned_model_is_right_more_often_than_its_base(self):
        with Server(threads=2) as server:
            environment = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key}
            run = subprocess.run([sys.executable, str(ROOT / "examples" / "sentiment_tutorial.py")], env=environment,
                                 capture_output=True, text=True, timeout=300)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        base, tuned = (int(number) for number in re.findall(r"(\d+) of 45 right", run.stdout))
        # The base is right about 40 times as it comes: it has met headlines in pretraining.
        self.assertGreater(tuned, base, run.stdout)
        self.assertGreaterEqual(tuned, 40, run.stdout)


if __name__ == "__main__":
    unittest.main()
