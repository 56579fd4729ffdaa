"""`temper models pull` against a hub on this machine: what it fetches, and what happens when things go wrong."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from support.hub import Fault, Hub
from support.server import TEMPER
from support.tiny import write_model

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPER_", "HF_"))}
SHARD = "model-00001-of-00003.safetensors"


class Pull(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="temper-pull-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.data = self.folder / "data"
        self.source = write_model(self.folder / "source", shards=3)
        (self.source / "additional_chat_templates").mkdir()
        (self.source / "additional_chat_templates" / "tool_use.jinja").write_text("{{ messages[0].content }}")
        (self.source / "README.md").write_text("# A model\n")
        (self.source / "pytorch_model.bin").write_bytes(b"never" * 100)
        (self.source / "consolidated.safetensors").write_bytes(b"never" * 100)
        (self.source / "model.Q8_0.gguf").write_bytes(b"GGUF" * 100)
        (self.source / "original").mkdir()
        (self.source / "original" / "consolidated.00.pth").write_bytes(b"never" * 100)
        self.hub = Hub()
        self.hub.__enter__()
        self.addCleanup(self.hub.__exit__)
        self.commit = self.hub.add("org/tiny", self.source)

    def pull(self, *arguments, status=0, token=None, model="org/tiny", data=None):
        env = {**ENVIRONMENT, "HF_ENDPOINT": self.hub.endpoint + "/", **({"HF_TOKEN": token} if token else {})}
        done = subprocess.run([TEMPER, "models", "pull", model, *map(str, arguments), "--data", str(data or self.data)],
                              capture_output=True, text=True, env=env, timeout=120)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        if token:
            self.assertNotIn(token, done.stdout + done.stderr)
        return done.stderr if status else done.stdout

    def target(self, name="org/tiny"):
        return self.data / "models" / name

    def assert_whole(self, name="org/tiny"):
        got = {path.name: path.read_bytes() for path in self.target(name).iterdir()
               if path.name not in ("temper.json", "additional_chat_templates")}
        self.assertTrue((self.target(name) / "additional_chat_templates" / "tool_use.jinja").exists())
        wanted = {path.name: path.read_bytes() for path in self.source.iterdir()
                  if path.is_file() and path.suffix not in (".bin", ".gguf") and "consolidated" not in path.name}
        self.assertEqual(sorted(got), sorted(wanted))
        for file in wanted:
            self.assertEqual(got[file], wanted[file], file)
        self.assertEqual([path.name for path in (self.data / "models").iterdir()], [name.split("/")[0]])

    def ranges(self, name):
        return [headers.get("Range") for port, path, headers in self.hub.requests
                if path.endswith(name) and port == self.hub.store.server_address[1]]

    # ---- what is fetched

    def test_what_is_needed_comes_and_nothing_else(self):
        answer = json.loads(self.pull("--json"))
        self.assertEqual((answer["id"], answer["revision"], answer["source"]), ("org/tiny", self.commit, "org/tiny"))
        self.assert_whole()
        asked = " ".join(path for _, path, _ in self.hub.requests)
        for name in ("pytorch_model", "consolidated", "gguf"):
            self.assertNotIn(name, asked)
        done = subprocess.run([TEMPER, "chat", "--model", "org/tiny", "--data", self.data, "--max-tokens", "2", "Hi"],
                              capture_output=True, text=True, env=ENVIRONMENT)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_progress_is_plain_lines_where_there_is_no_terminal(self):
        done = subprocess.run([TEMPER, "models", "pull", "org/tiny", "--data", str(self.data)], capture_output=True,
                              text=True, env={**ENVIRONMENT, "HF_ENDPOINT": self.hub.endpoint})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("fetching, MB", done.stderr)
        self.assertNotIn("\x1b", done.stderr)
        self.assertIn("org/tiny is here", done.stdout)

    def test_a_revision_a_name_and_aliases(self):
        other = write_model(self.folder / "other", seed=3)
        commit = self.hub.add("org/tiny", other, revision="refs/pr/1")
        self.pull("--revision", "refs/pr/1", "--id", "mine", "--alias", "me/too")
        manifest = json.loads((self.target("mine") / "temper.json").read_text())
        self.assertEqual((manifest["revision"], manifest["aliases"]), (commit, ["me/too"]))
        self.assertEqual((self.target("mine") / "model.safetensors").read_bytes(),
                         (other / "model.safetensors").read_bytes())
        self.assertIn("taken", self.pull("--id", "me/too", status=1))

    def test_a_known_model_is_found_by_the_name_that_a_hosted_service_gives_it(self):
        self.hub.add("meta-llama/Llama-3.1-8B-Instruct", self.source)
        self.pull(model="klusterai/Meta-Llama-3.1-8B-Instruct-Turbo")
        self.assert_whole("meta-llama/Llama-3.1-8B-Instruct")

    def test_the_token_goes_to_the_hub_and_to_no_other_host(self):
        self.hub.token = "hf_secret"
        self.pull(token="hf_secret")
        front, store = self.hub.server.server_address[1], self.hub.store.server_address[1]
        seen = {port: {headers.get("Authorization") for at, _, headers in self.hub.requests if at == port}
                for port in (front, store)}
        self.assertEqual(seen, {front: {"Bearer hf_secret"}, store: {None}})

    def test_a_gguf_file_when_asked_for(self):
        message = self.pull("--file", "none.gguf", status=1)
        self.assertIn("model.Q8_0.gguf", message)
        self.pull("--file", "model.safetensors", status=1)
        message = self.pull("--file", "model.Q8_0.gguf", status=1)  # comes, and is no good GGUF
        self.assertIn("gguf", message.lower())
        self.assertTrue(self.hub.asked("model.Q8_0.gguf"))
        only = self.folder / "only-gguf"
        only.mkdir()
        (only / "a.gguf").write_bytes(b"GGUF")
        self.hub.add("org/gguf", only)
        self.assertIn("--file (it has a.gguf)", self.pull(model="org/gguf", status=1))

    def test_weights_as_pickles_only_are_refused(self):
        for path in [*self.source.glob("*.safetensors*"), *self.source.glob("*.gguf")]:
            path.unlink()
        self.hub.add("org/old", self.source)
        self.assertIn("pytorch_model.bin", self.pull(model="org/old", status=1))

    def test_a_model_that_cannot_be_used_is_refused_before_its_weights_are_asked_for(self):
        for name, changes, expected in (("moe", {"model_type": "mixtral"}, "mixtral"),
                                        ("small", {"vocab_size": 100}, "vocab_size")):
            self.hub.add(f"org/{name}", write_model(self.folder / name, **changes))
            self.assertIn(expected, self.pull(model=f"org/{name}", status=1))
        self.assertEqual(self.hub.asked("model.safetensors"), [])
        self.assertEqual(list((self.data / "models").iterdir()), [])

    # ---- broken connections

    def test_a_broken_connection_is_gone_on_with_where_it_broke(self):
        self.hub.fail(SHARD, Fault("cut", 20000), Fault("drop"), Fault("cut", 30000))
        self.pull()
        self.assert_whole()
        asked = self.ranges(SHARD)
        self.assertEqual(asked, [None, "bytes=20000-", "bytes=20000-", "bytes=50000-"])

    def test_another_run_goes_on_where_the_last_one_ended(self):
        self.hub.fail(SHARD, Fault("cut", 70000))
        message = self.pull("--attempts", "1", "--parallel", "1", status=1)
        self.assertIn("the same command goes on from there", message)
        self.assertFalse(self.target().exists())
        listed = subprocess.run([TEMPER, "models", "--data", self.data, "--json"], capture_output=True, text=True,
                                env=ENVIRONMENT).stdout
        self.assertNotIn("org/tiny", listed)
        self.hub.requests.clear()
        self.pull()
        self.assert_whole()
        self.assertEqual(self.ranges(SHARD), ["bytes=70000-"])

    def test_a_killed_run_is_gone_on_with(self):
        self.hub.fail(SHARD, Fault("cut", 70000), *[Fault("status", (503, {"Retry_After": "60"}))] * 2)
        process = subprocess.Popen([TEMPER, "models", "pull", "org/tiny", "--data", str(self.data)],
                                   env={**ENVIRONMENT, "HF_ENDPOINT": self.hub.endpoint}, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while len(self.ranges(SHARD)) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.2)  # what has come is written
        other = self.pull(status=1)
        self.assertIn("another", other)
        process.kill()
        process.wait()
        self.hub.faults.clear()
        self.hub.requests.clear()
        self.pull()
        self.assert_whole()
        self.assertEqual(self.ranges(SHARD), ["bytes=70000-"])

    def test_a_server_without_ranges_sends_all_of_it_again(self):
        self.hub.fail(SHARD, Fault("cut", 20000), Fault("no ranges"))
        self.pull()
        self.assert_whole()
        self.hub.fail(SHARD, *[Fault("no ranges", 20000)] * 4)
        self.assertIn("in a row", self.pull("--id", "second", "--attempts", "2", status=1))

    def test_a_range_that_was_not_asked_for_is_not_taken(self):
        self.hub.fail(SHARD, Fault("cut", 20000), Fault("wrong range"))
        self.pull()
        self.assert_whole()

    def test_an_answer_that_ends_early_is_no_whole_file(self):
        self.hub.fail(SHARD, Fault("shorter", 50000))
        self.pull()
        self.assert_whole()
        self.assertEqual(self.ranges(SHARD), [None, "bytes=50000-"])

    def test_a_hub_that_is_away_is_said(self):
        self.hub.__exit__()
        message = self.pull("--attempts", "1", status=1)
        self.assertRegex(message, r"[Cc]onnect")
        self.hub.__enter__()

    # ---- contents that are wrong

    def test_a_wrong_content_is_fetched_anew_once(self):
        self.hub.fail(SHARD, Fault("wrong", 60000))
        self.hub.fail("config.json", Fault("wrong", 5))
        self.pull()
        self.assert_whole()
        self.assertEqual(self.ranges(SHARD), [None, None])

    def test_a_content_that_stays_wrong_is_never_left_as_if_good(self):
        for fault in (Fault("wrong", 60000), Fault("longer", 1), Fault("longer", 100000)):
            self.hub.fail(SHARD, fault, fault)
            self.assertIn("sha256", self.pull(status=1))
            self.assertFalse(self.target().exists())
            for path in (self.data / "models").rglob("*"):
                self.assertNotIn(SHARD, path.name)
        self.hub.fail("tokenizer_config.json", Fault("wrong", 60), Fault("wrong", 60))
        self.assertIn("git blob", self.pull("--id", "other", status=1))
        shutil.rmtree(self.data)
        self.pull()
        self.assert_whole()

    def test_what_was_spoilt_on_the_disk_is_found(self):
        self.hub.fail("model-00003-of-00003.safetensors", Fault("cut", 10))
        self.pull("--attempts", "1", "--parallel", "1", status=1)
        staging = self.data / "models" / ".pulling-org--tiny"
        whole = staging / SHARD
        data = bytearray(whole.read_bytes())
        data[-1] ^= 1
        whole.write_bytes(data)
        (staging / "chat_template.jinja").write_text("left by an older commit")
        self.pull()
        self.assert_whole()

    def test_a_model_that_changed_between_two_runs_is_not_mixed(self):
        self.hub.fail(SHARD, Fault("cut", 70000))
        self.pull("--attempts", "1", status=1)
        write_model(self.folder / "newer", shards=3, seed=7)
        shutil.copytree(self.folder / "newer", self.source, dirs_exist_ok=True)
        self.hub.faults.clear()
        self.hub.add("org/tiny", self.source)
        self.pull()
        self.assert_whole()

    def test_an_index_that_leads_elsewhere_is_refused(self):
        for target in ("../../../evil.safetensors", "/tmp/evil.safetensors", "absent.safetensors"):
            index = self.source / "model.safetensors.index.json"
            index.write_text(json.dumps({"weight_map": {"model.norm.weight": target}}))
            self.hub.add("org/evil", self.source)
            self.assertIn(target, self.pull(model="org/evil", status=1))

    def test_names_of_files_that_lead_elsewhere_are_refused(self):
        for name in ("../x", "/etc/x", "a/../../x", "a\\..\\x", "", ".", "x\u0000y", "a//b"):
            answer = json.dumps({"sha": "0" * 40, "siblings": [{"rfilename": name, "size": 1, "blobId": "0" * 40}]})
            self.hub.fail("the list", Fault("answer", answer.encode()))
            self.pull(status=1)
        self.assertEqual(list((self.data / "models").iterdir()), [])

    def test_answers_that_are_none_are_refused(self):
        good = {"sha": "0" * 40, "siblings": [{"rfilename": "config.json", "size": 1, "blobId": "0" * 40}]}
        for change in ({"sha": "main"}, {"sha": "../../../../../../etc/passwd"}, {"siblings": []}, {"siblings": {}},
                       {"siblings": [{"rfilename": "config.json", "size": -1, "blobId": "0" * 40}]},
                       {"siblings": [{"rfilename": "config.json", "size": 1 << 60, "blobId": "0" * 40}]},
                       {"siblings": [{"rfilename": "config.json", "size": 1, "blobId": "xyz"}]}):
            self.hub.fail("the list", Fault("answer", json.dumps({**good, **change}).encode()))
            self.assertIn("hub's answer", self.pull(status=1))
        self.hub.fail("the list", Fault("answer", b"<html>"))
        self.assertIn("not JSON", self.pull(status=1))
        full = {"sha": "0" * 40, "siblings": [{"rfilename": name, "size": 1 << 45, "blobId": "0" * 40}
                                              for name in ("config.json", "tokenizer.json", "model.safetensors")]}
        self.hub.fail("the list", Fault("answer", json.dumps(full).encode()))
        self.assertIn("has room for", self.pull(status=1))

    # ---- what the hub refuses

    def test_a_model_that_is_not_open_says_what_to_do(self):
        self.hub.token = "hf_right"
        message = self.pull(status=1)
        self.assertIn("HF_TOKEN", message)
        self.assertIn(f"{self.hub.endpoint}/org/tiny", message)
        self.assertIn("does not take the token", self.pull(status=1, token="hf_wrong"))
        self.hub.token = None
        self.hub.status["org/tiny"] = (403, "GatedRepo")
        message = self.pull(status=1, token="hf_right")
        self.assertIn("accept its licence at " + self.hub.endpoint + "/org/tiny", message)
        self.hub.status.clear()
        self.pull(token="hf_right")
        self.assert_whole()

    def test_a_model_that_is_hidden_says_what_to_do(self):
        self.hub.fail("the list", Fault("status", (401, {"X_Error_Code": "RepoNotFound"})))
        message = self.pull(status=1)
        self.assertIn("no such model", message)
        self.assertIn("HF_TOKEN", message)

    def test_a_model_without_a_tokenizer_is_refused(self):
        (self.source / "tokenizer.json").unlink()
        self.hub.add("org/tiny", self.source)
        self.assertIn("tokenizer.json", self.pull(status=1))

    def test_what_is_not_there_is_said(self):
        self.assertIn("has no model org/none", self.pull(model="org/none", status=1))
        self.assertIn('not at the revision "v9"', self.pull("--revision", "v9", status=1))
        self.pull(model="../../etc", status=1)
        self.pull(status=1, token="two words")

    def test_a_model_that_was_renamed_is_followed(self):
        self.hub.add("neworg/tiny", self.source)
        self.hub.fail("the list", Fault("moved", "neworg/tiny"))
        self.hub.add("oldorg/tiny", self.source)
        self.pull(model="oldorg/tiny")
        self.assert_whole("oldorg/tiny")

    def test_a_busy_hub_is_waited_for(self):
        self.hub.fail("the list", Fault("status", (429, {"Retry_After": "1"})), Fault("status", (502, {})))
        self.hub.fail(SHARD, Fault("status", (429, {"Retry_After": "1"})), Fault("status", (500, {})))
        begun = time.monotonic()
        self.pull()
        self.assertGreaterEqual(time.monotonic() - begun, 2)
        self.assert_whole()
        self.hub.fail("the list", Fault("status", (429, {"Retry_After": "86400"})))
        self.assertIn("429", self.pull("--id", "x", status=1))
        self.hub.fail(SHARD, Fault("status", (429, {"Retry_After": "86400"})))
        self.assertIn("86400 seconds", self.pull("--id", "x", status=1))

    def test_removing_forgets_what_has_come_of_a_pull(self):
        self.hub.fail(SHARD, Fault("cut", 70000))
        message = self.pull("--attempts", "1", status=1)
        self.assertTrue(re.search(r"temper models remove org/tiny", message))
        subprocess.run([TEMPER, "models", "remove", "org/tiny", "--data", self.data], check=True, env=ENVIRONMENT,
                       capture_output=True)
        self.assertEqual(list((self.data / "models").iterdir()), [])
        self.pull()
        subprocess.run([TEMPER, "models", "remove", "org/tiny", "--data", self.data], check=True, env=ENVIRONMENT,
                       capture_output=True)
        self.assertEqual(list((self.data / "models").iterdir()), [])
