"""Sessions of browsers: signing in by key and by a printed address, and what other sites' pages may not."""
import json
import re
import subprocess
import unittest
import urllib.error
import urllib.request

from support.server import Server, TEMPER


class Browser:
    """Asks as a browser does: with its cookie, and with what browsers say of the page that asks."""

    def __init__(self, server):
        self.url = server.url
        self.cookie = None

    def ask(self, method, path, body=None, **headers):
        """(status, object, headers)"""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            sent["Cookie"] = "other=1; " + self.cookie
        asked = urllib.request.Request(self.url + path, method=method, headers={**sent, "Content-Type": "application/json"},
                                       data=None if body is None else json.dumps(body).encode())
        try:
            answer = urllib.request.urlopen(asked, timeout=30)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            return answer.status, json.load(answer), answer.headers

    def sign_in(self, **secret):
        status, session, headers = self.ask("POST", "/session", secret, Sec_Fetch_Site="same-origin")
        assert status == 200, session
        self.cookie = headers["Set-Cookie"].split(";")[0]
        return session, headers["Set-Cookie"]


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def setUp(self):
        self.browser = Browser(self.server)

    def printed_token(self):
        return re.findall(r"/sign-in#(\S+)", (self.server.data / "server.log").read_text())[-1]

    def keys(self, *words):
        return subprocess.run([TEMPER, "keys", *words, "--data", str(self.server.data), "--json"], check=True,
                              capture_output=True, text=True).stdout

    def test_a_key_begins_a_session_whose_cookie_scripts_cannot_read(self):
        session, cookie = self.browser.sign_in(api_key=self.server.key)
        self.assertEqual((session["object"], session["account"], session["scope"]), ("session", "personal", "all"))
        self.assertIn("; HttpOnly", cookie)
        self.assertIn("; SameSite=Strict", cookie)
        self.assertIn("; Path=/", cookie)
        self.assertEqual(self.browser.ask("GET", "/session")[1]["account"], "personal")
        self.assertEqual(self.browser.ask("GET", "/files", Sec_Fetch_Site="same-origin")[0], 200)

    def test_the_printed_address_signs_in_once(self):
        token = self.printed_token()
        self.browser.sign_in(token=token)
        self.assertEqual(self.browser.ask("GET", "/models")[0], 200)
        status, answer, _ = Browser(self.server).ask("POST", "/session", {"token": token})
        self.assertEqual((status, answer["error"]["code"]), (401, "invalid_api_key"))
        self.assertIn("temper sign-in", answer["error"]["message"])

    def test_the_command_prints_such_an_address(self):
        text = subprocess.run([TEMPER, "sign-in", "--data", str(self.server.data), "--account", "acme", "--url",
                               "http://box:1/v1"], check=True, capture_output=True, text=True).stdout
        address, token = text.strip().split("#")
        self.assertEqual(address, "http://box:1/sign-in")
        self.assertEqual(self.browser.sign_in(token=token)[0]["account"], "acme")

    def test_wrong_secrets_are_refused(self):
        for body, status in (({"api_key": "sk-temper-wrong"}, 401), ({"token": "wrong"}, 401), ({}, 400),
                             ({"api_key": self.server.key, "token": "both"}, 400), ({"api_key": 1}, 400)):
            answered, answer, headers = self.browser.ask("POST", "/session", body)
            self.assertEqual(answered, status, answer)
            self.assertIsNone(headers["Set-Cookie"])

    def test_signing_out_ends_the_session(self):
        self.browser.sign_in(api_key=self.server.key)
        status, answer, headers = self.browser.ask("DELETE", "/session", Sec_Fetch_Site="same-origin")
        self.assertEqual((status, answer["deleted"]), (200, True))
        self.assertIn("Max-Age=0", headers["Set-Cookie"])
        self.assertEqual(self.browser.ask("GET", "/files")[0], 401)

    def test_a_session_ends_with_its_key(self):
        key = json.loads(self.keys("create", "--name", "short"))
        self.browser.sign_in(api_key=key["key"])
        self.keys("revoke", key["id"])
        status, answer, _ = self.browser.ask("GET", "/files")
        self.assertEqual((status, answer["error"]["code"]), (401, "invalid_session"))

    def test_a_session_may_what_its_key_may(self):
        key = json.loads(self.keys("create", "--scope", "read-only"))["key"]
        session, _ = self.browser.sign_in(api_key=key)
        self.assertEqual(session["scope"], "read-only")
        self.assertEqual(self.browser.ask("GET", "/files")[0], 200)
        status, answer, _ = self.browser.ask("POST", "/api_keys", {}, Sec_Fetch_Site="same-origin")
        self.assertEqual((status, answer["error"]["code"]), (403, "insufficient_permissions"))

    def test_pages_of_other_sites_are_refused(self):
        self.browser.sign_in(api_key=self.server.key)
        host = self.server.url.split("/")[2]
        for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Sec_Fetch_Site": "none"},
                        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": f"http://{host}.evil.example"},
                        {"Origin": "http://127.0.0.1:1"}, {}):
            status, answer, _ = self.browser.ask("POST", "/api_keys", {"name": "stolen"}, **headers)
            self.assertEqual((status, answer["error"]["code"]), (403, "cross_site_request"), headers)
        for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Origin": "http://evil.example"}):
            self.assertEqual(self.browser.ask("GET", "/api_keys", **headers)[0], 403, headers)
        names = [key["name"] for key in self.browser.ask("GET", "/api_keys")[1]["data"]]
        self.assertNotIn("stolen", names)
        self.assertEqual(self.browser.ask("POST", "/api_keys", {"name": "own"}, Origin=f"http://{host}")[0], 200)
        self.assertEqual(Browser(self.server).ask("POST", "/session", {"api_key": self.server.key},
                                                  Sec_Fetch_Site="cross-site")[0], 403)

    def test_a_key_goes_before_a_cookie(self):
        self.browser.sign_in(api_key=self.server.key)
        self.assertEqual(self.browser.ask("GET", "/files", Authorization="Bearer wrong")[0], 401)
        other = self.server.make_key("other")
        status, _, _ = self.browser.ask("POST", "/api_keys", {}, Authorization=f"Bearer {other}", Sec_Fetch_Site="cross-site")
        self.assertEqual(status, 200)
        self.assertEqual(self.browser.ask("GET", "/session", Authorization=f"Bearer {self.server.key}")[0], 200)

    def test_hostile_cookies_are_no_session(self):
        for cookie in ("temper_session", "temper_session=", "temper_session=;", ";;;=", "xtemper_session=a",
                       "temper_session=" + "a" * 8000, 'temper_session="; temper_session=b', "temper_session=%00"):
            self.browser.cookie = cookie
            self.assertEqual(self.browser.ask("GET", "/files")[0], 401, cookie)

    def test_a_session_survives_a_restart(self):
        self.browser.sign_in(api_key=self.server.key)
        self.server.stop()
        self.server.start()
        self.browser.url = self.server.url
        self.assertEqual(self.browser.ask("GET", "/session")[0], 200)


class Pages(unittest.TestCase):
    def test_pages_are_whole_and_may_load_nothing_from_elsewhere(self):
        with Server() as server:
            root = server.url.removesuffix("/v1")
            with urllib.request.urlopen(f"{root}/fine-tuning/ftjob-1?from=mail") as page:
                text, policy, etag = page.read().decode(), page.headers["Content-Security-Policy"], page.headers["ETag"]
                self.assertEqual(page.headers["X-Frame-Options"], "DENY")
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)
            assets = re.findall(r'(?:src|href)="([^"]+)"', text)
            self.assertTrue(assets)
            for asset in assets:
                self.assertTrue(asset.startswith("/"), asset)
                with urllib.request.urlopen(root + asset) as plain:
                    length = len(plain.read())
                asked = urllib.request.Request(root + asset, headers={"Accept-Encoding": "gzip"})
                with urllib.request.urlopen(asked) as packed:
                    self.assertEqual(packed.headers["Content-Encoding"], "gzip")
                    self.assertLess(len(packed.read()), length)
            again = urllib.request.Request(f"{root}/models", headers={"If-None-Match": etag})
            with self.assertRaises(urllib.error.HTTPError) as unchanged:
                urllib.request.urlopen(again)
            self.assertEqual(unchanged.exception.code, 304)
            with self.assertRaises(urllib.error.HTTPError) as absent:
                urllib.request.urlopen(f"{root}/assets/absent.js")
            self.assertEqual(absent.exception.code, 404)


if __name__ == "__main__":
    unittest.main()
