"""Chat completions in full, through openai-python: every parameter does what it says, and nothing else changes."""
import json
import math
import re
import threading
import time
import unittest
import urllib.request

import openai

from support.server import Server, wait_for

MODEL = "temper/mini-instruct"
# A question with many long answers: at another the built-in model says one word.
QUESTION = [{"role": "user", "content": "Name four things of the kind animal."}]


class TestChat(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server(threads=2))
        cls.client = openai.OpenAI(base_url=cls.server.url, api_key=cls.server.key, max_retries=0)

    def ask(self, messages=QUESTION, **options):
        return self.client.chat.completions.create(**{"model": MODEL, "messages": messages, "max_tokens": 24, **options})

    def text(self, **options):
        return self.ask(**options).choices[0].message.content

    def count(self, name):
        with urllib.request.urlopen(self.server.url.removesuffix("/v1") + "/metrics") as answer:
            found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.M)
        return float(found[1])

    def test_a_seed_gives_the_same_answer_in_company_and_alone(self):
        alone = [self.text(seed=seed) for seed in range(6)]
        self.assertGreater(len(set(alone)), 3)
        noise = [threading.Thread(target=lambda: self.ask(max_tokens=200)) for _ in range(8)]
        for thread in noise:
            thread.start()
        self.assertEqual([self.text(seed=seed) for seed in range(6)], alone)
        for thread in noise:
            thread.join()
        self.assertEqual([self.text(seed=3, max_completion_tokens=24, max_tokens=None) for _ in range(2)], [alone[3]] * 2)

    def test_choices_differ_and_the_first_is_that_of_one(self):
        answer = self.ask(n=40, seed=5)
        texts = [choice.message.content for choice in answer.choices]
        self.assertEqual([choice.index for choice in answer.choices], list(range(40)))
        self.assertGreater(len(set(texts)), 20)
        self.assertEqual(texts[0], self.text(seed=5))
        self.assertEqual(texts, [choice.message.content for choice in self.ask(n=40, seed=5).choices])
        self.assertGreater(answer.usage.completion_tokens, 40)
        self.assertEqual(len({choice.message.content for choice in self.ask(n=5, temperature=0).choices}), 1)

    def test_several_choices_are_streamed_side_by_side(self):
        whole = [choice.message.content for choice in self.ask(n=3, seed=9).choices]
        texts, ends, ids = ["", "", ""], [None] * 3, set()
        for chunk in self.ask(n=3, seed=9, stream=True):
            ids.add((chunk.id, chunk.created))
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
                ends[choice.index] = ends[choice.index] or choice.finish_reason
        self.assertEqual(texts, whole)
        self.assertEqual(len(ids), 1)
        self.assertTrue(all(end in ("stop", "length") for end in ends))

    def test_log_probabilities_are_those_of_a_distribution(self):
        answer = self.ask(temperature=0, logprobs=True, top_logprobs=20, max_tokens=10)
        tokens = answer.choices[0].logprobs.content
        ended = answer.choices[0].finish_reason == "stop"  # by a token that has no text
        self.assertEqual(len(tokens), answer.usage.completion_tokens - ended)
        self.assertEqual(b"".join(bytes(token.bytes) for token in tokens).decode(), answer.choices[0].message.content)
        for token in tokens:
            likeliest = [one.logprob for one in token.top_logprobs]
            self.assertEqual(len(likeliest), 20)
            self.assertEqual(likeliest, sorted(likeliest, reverse=True))
            self.assertEqual((token.token, token.logprob), (token.top_logprobs[0].token, likeliest[0]))
            self.assertLessEqual(sum(map(math.exp, likeliest)), 1 + 1e-9)
        self.assertEqual(self.ask(logprobs=True, max_tokens=2).choices[0].logprobs.content[0].top_logprobs, [])
        self.assertIsNone(self.ask(max_tokens=2).choices[0].logprobs)
        streamed = [token for chunk in self.ask(temperature=0, logprobs=True, top_logprobs=2, max_tokens=10, stream=True)
                    for choice in chunk.choices if choice.logprobs for token in choice.logprobs.content]
        self.assertEqual([token.logprob for token in streamed], [token.logprob for token in tokens])

    def test_a_bias_forbids_and_forces_tokens(self):
        first = self.ask(temperature=0, max_tokens=1, logprobs=True, top_logprobs=1).choices[0].logprobs.content[0]
        body = json.dumps({"model": MODEL, "text": first.token})
        forced = self.text(temperature=0, max_tokens=5, logit_bias={"300": 100})
        piece = self.text(temperature=0, max_tokens=1, logit_bias={"300": 100})
        self.assertEqual(forced, piece * 5, body)
        self.assertNotEqual(self.text(temperature=0, max_tokens=1, logit_bias={"300": -100}), piece)
        for wrong in ({"4096": 1}, {"-1": 1}, {"a": 1}, {"3": 101}, {"3": "x"}):
            with self.subTest(wrong=wrong), self.assertRaises(openai.BadRequestError) as caught:
                self.ask(logit_bias=wrong)
            self.assertTrue(caught.exception.param.startswith("logit_bias"))

    def test_penalties_keep_a_model_from_repeating_itself(self):
        bias = {"300": 100}
        repeated = self.text(temperature=0, max_tokens=8, logit_bias=bias)
        self.assertEqual(len(set(re.findall(re.escape(repeated[:len(repeated) // 8]), repeated))), 1)
        for penalty in ({"frequency_penalty": 2}, {"presence_penalty": 2}):
            self.assertNotEqual(self.text(temperature=0, max_tokens=60, **penalty),
                                self.text(temperature=0, max_tokens=60))
            self.assertEqual(self.text(temperature=0, max_tokens=60, **{name: 0 for name in penalty}),
                             self.text(temperature=0, max_tokens=60))

    def test_stop_texts_end_an_answer_and_are_never_shown(self):
        whole = self.text(temperature=0, max_tokens=40)
        for start in range(3, min(30, len(whole) - 6), 4):
            stop = whole[start:start + 5]  # they straddle tokens
            answer = self.ask(temperature=0, max_tokens=40, stop=[stop, "never seen"])
            self.assertEqual(answer.choices[0].message.content, whole[:whole.index(stop)])
            self.assertEqual(answer.choices[0].finish_reason, "stop")
            streamed = "".join(chunk.choices[0].delta.content or "" for chunk in self.ask(
                temperature=0, max_tokens=40, stop=stop, stream=True))
            self.assertEqual(streamed, whole[:whole.index(stop)])

    def test_usage_comes_last_where_it_is_asked_for(self):
        chunks = list(self.ask(stream=True, stream_options={"include_usage": True}, max_tokens=5, temperature=0))
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual((chunks[-1].choices, chunks[-1].usage.completion_tokens), ([], 5))
        self.assertTrue(all(chunk.usage is None for chunk in chunks[:-1]))
        self.assertEqual(chunks[-2].choices[0].finish_reason, "length")
        self.assertTrue(all(chunk.usage is None for chunk in self.ask(stream=True, max_tokens=5)))

    def test_a_client_that_goes_away_stops_its_answer(self):
        question = [{"role": "user", "content": "x"}]
        stream = self.ask(question, stream=True, max_tokens=900, n=16, logit_bias={"300": 100})  # it would not end by itself
        next(iter(stream))
        stream.close()
        running = 'temper_engine_requests{state="running",lane="live"}'
        wait_for(lambda: self.count(running) == 0, 30, "the end of the answer")
        self.assertLess(self.count("temper_completion_tokens_total"), 900 * 16 + 100_000)
        before = self.count("temper_completion_tokens_total")
        time.sleep(0.2)
        self.assertEqual(self.count("temper_completion_tokens_total"), before)

    def test_what_advises_is_taken_and_what_is_not_supported_is_refused(self):
        self.ask(user="me", metadata={"a": "b"}, max_tokens=1, store=False, extra_body={"safety_identifier": "x"},
                 response_format={"type": "text"}, tools=[])
        tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
        for wrong in ({"response_format": {"type": "json_object"}}, {"tools": [tool]}, {"store": True},
                      {"reasoning_effort": "low"}, {"temperature": -1}, {"top_p": 1.5}, {"n": 0}, {"n": 129},
                      {"top_logprobs": 2}, {"stop": ["a"] * 5}, {"presence_penalty": 3}, {"max_tokens": 0},
                      {"extra_body": {"colour": "red"}}):
            with self.subTest(wrong=wrong), self.assertRaises(openai.BadRequestError) as caught:
                self.ask(**wrong)
            name = "colour" if "extra_body" in wrong else next(iter(wrong))
            self.assertEqual(caught.exception.param, name)


if __name__ == "__main__":
    unittest.main()
