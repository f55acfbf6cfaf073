"""fuzz.py URL TOKEN [EXAMPLES]: requests of every kind that the public schema of OpenAI's API has, and ones beside it.

The schema is that of the official client's types: what it may send, and what has to come back. No answer may be a 5xx, none
may be one that the client cannot read, and none may take longer than ten seconds.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile

from openai.types import Completion, Model
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming as ChatParams
from openai.types.completion_create_params import CompletionCreateParamsNonStreaming as CompletionParams
from pydantic import BaseModel, TypeAdapter

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
]
# What is honoured, so that most requests of the second run have to be answered rather than refused.
HONOURED = {
    "model", "messages", "prompt", "suffix", "echo", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed",
    "stop", "user", "tool_choice", "response_format", "parallel_tool_calls", "stream",
}


class Inner(BaseModel):
    message: str
    type: str
    code: str | None
    param: str | None


class Error(BaseModel):
    error: Inner


class Models(BaseModel):
    object: str
    data: list[Model]


def schema_of(kind, schemas):
    """The schema of a type, its parts moved to where they all lie."""
    schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    return schema


def asked_for(params, schemas, is_whole):
    """What a request may be. Without the model's name nothing but that would be found out."""
    schema = schema_of(params, schemas)
    schema["properties"]["model"] = {"enum": ["tiny"]}
    if not is_whole:
        schema["properties"] = {name: kind for name, kind in schema["properties"].items() if name in HONOURED}
        schema["additionalProperties"] = False
    return schema


def json_content(schema):
    return {"content": {"application/json": {"schema": schema}}}


def document(is_whole):
    schemas = {}
    error = {"description": "refused", **json_content(schema_of(Error, schemas))}
    refusals = {str(status): error for status in (400, 401, 404, 405, 413, 415, 429)}

    def operation(answer, params=None):
        found = {"200": {"description": "answered", **json_content(schema_of(answer, schemas))}, **refusals}
        asked = {} if params is None else {"requestBody": {"required": True, **json_content(asked_for(params, schemas, is_whole))}}
        return {"responses": found, "security": [{"token": []}], **asked}

    identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "OpenAI's API", "version": "1"},
        "paths": {
            "/v1/models": {"get": operation(Models)},
            "/v1/models/{id}": {"parameters": [identifier], "get": operation(Model)},
            "/v1/chat/completions": {"post": operation(ChatCompletion, ChatParams)},
            "/v1/completions": {"post": operation(Completion, CompletionParams)},
        },
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def run(folder, is_whole, options):
    """Runs it, and says how many answers of each status came."""
    url, token = sys.argv[1:3]
    path, report = pathlib.Path(folder, "openapi.json"), pathlib.Path(folder, "report.har")
    path.write_text(json.dumps(document(is_whole)))
    command = [pathlib.Path(sys.executable).with_name("schemathesis"), "run", path, "--url", url, *options]
    command += ["--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS), "--seed", "1"]
    command += ["--request-timeout", "10", "--generation-database", "none", "--no-color", "--continue-on-failure"]
    command += ["--report", "har", "--report-har-path", report]
    done = subprocess.run(command, cwd=folder, check=False)
    entries = json.loads(report.read_text())["log"]["entries"]
    statuses = collections.Counter(entry["response"]["status"] for entry in entries)
    print("answers by status:", dict(sorted(statuses.items())), flush=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return statuses


def main():
    is_long = len(sys.argv) > 3
    examples = ["--max-examples", sys.argv[3] if is_long else "15"]
    with tempfile.TemporaryDirectory() as folder:
        if is_long:
            run(folder, True, ["--mode", "all", "--phases", "coverage,fuzzing", *examples])
        statuses = run(folder, False, ["--mode", "positive", "--phases", "fuzzing", *examples])
    if statuses[200] < sum(statuses.values()) / 4:
        sys.exit("hardly anything was answered, so hardly any answer was judged")
    print("python fuzz: every answer is one of the schema, and none is a 5xx")


main()
