"""Holds every answer that a test's client receives against the server's own /openapi.json.

`install()` puts a check behind httpx2, which openai-python speaks through: from then on an answer that the document does
not describe fails the test that asked for it. `seen` collects the operations that were answered.
"""
import json
import re
import urllib.request

import httpx2 as httpx
import jsonschema

seen = set()
documents = {}


def document_of(url):
    address = f"{url.scheme}://{url.netloc.decode()}"
    if address not in documents:
        try:
            with urllib.request.urlopen(address + "/openapi.json", timeout=10) as answer:
                documents[address] = json.load(answer)
        except OSError:
            documents[address] = None
    return documents[address]


def pattern_of(path):
    """"/v1/models/{model}" as a pattern: a model's name may hold slashes, other parameters may not."""
    pattern = re.sub(r"\\{model\\}", ".+", re.escape(path))
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", pattern) + "/?$")


def operation_of(document, method, path):
    """The path and the operation that a request means; the longest path of those that fit."""
    fitting = [known for known, methods in document["paths"].items()
               if method.lower() in methods and pattern_of(known).match(path)]
    if not fitting:
        return None, None
    known = max(fitting, key=lambda one: len(re.sub(r"\{\w+\}", "", one)))
    return known, document["paths"][known][method.lower()]


def check(document, operation, status, value):
    responses = operation["responses"]
    response = responses.get(str(status)) or (responses["default"] if status >= 400 else None)
    assert response, f"{operation['operationId']} answered with {status}, which the document does not know"
    schema = response["content"]["application/json"]["schema"]
    validator = jsonschema.Draft202012Validator({**schema, "components": document["components"]})
    fault = jsonschema.exceptions.best_match(validator.iter_errors(value))
    assert not fault, (f"{operation['operationId']} ({status}): {fault.message} at "
                       f"{'/'.join(map(str, fault.absolute_path)) or 'the top'}: {json.dumps(value)[:2000]}")


def look_at(request, response):
    document = document_of(request.url)
    if not document or not response.headers.get("content-type", "").startswith("application/json"):
        return
    _, operation = operation_of(document, request.method, request.url.path)
    if operation:
        check(document, operation, response.status_code, response.json())
        if response.status_code < 400:
            seen.add(operation["operationId"])


def install():
    send, send_async = httpx.Client.send, httpx.AsyncClient.send

    def checked(self, request, **options):
        response = send(self, request, **options)
        if response.headers.get("content-type", "").startswith("application/json"):
            response.read()
            look_at(request, response)
        return response

    async def checked_async(self, request, **options):
        response = await send_async(self, request, **options)
        if response.headers.get("content-type", "").startswith("application/json"):
            await response.aread()
            look_at(request, response)
        return response

    httpx.Client.send, httpx.AsyncClient.send = checked, checked_async
