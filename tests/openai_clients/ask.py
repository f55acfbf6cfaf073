"""The official Python clients against a finch daemon: ask.py URL TOKEN. Prints a line for each thing that works.

The model behind the daemon is scripted (server/finch-http/tests/official_clients.rs), so that every answer is known.
"""

import json
import sys

import anthropic
import openai

from told import fails, show

url, token = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0, timeout=30)
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def chat():
    answer = client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content == "Hello,\n  world!", answer
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens == 10
    show("chat", repr(answer.choices[0].message.content))


def stream():
    chunks = list(
        client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello,\n  world!", text
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage.prompt_tokens == 7 and chunks[-1].choices == []
    show("stream", f"{len(chunks)} chunks, usage {chunks[-1].usage.total_tokens}")


def tools():
    tool = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": TOOL}}
    messages = [{"role": "user", "content": "Weather?"}]
    answer = client.chat.completions.create(model="tiny", messages=messages, tools=[tool], tool_choice="required")
    [call] = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Rome"})
    messages += [answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    answer = client.chat.completions.create(model="tiny", messages=messages, tools=[tool])
    assert answer.choices[0].message.content == "It is sunny.", answer
    show("tools", answer.choices[0].message.content)


def schema():
    form = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": TOOL}}
    messages = [{"role": "user", "content": "Where?"}]
    answer = client.chat.completions.create(model="tiny", messages=messages, response_format=form)
    assert json.loads(answer.choices[0].message.content) == {"city": "Rome"}
    show("schema", answer.choices[0].message.content)


def completions():
    answer = client.completions.create(model="tiny", prompt="a = ", suffix="\nb", max_tokens=8)
    assert answer.choices[0].text == "<a = |\nb>", answer
    template = "<|fim_prefix|>a = <|fim_suffix|>\nb<|fim_middle|>"
    chunks = client.completions.create(model="tiny", prompt=template, max_tokens=8, stream=True)
    text = "".join(chunk.choices[0].text for chunk in chunks)
    assert text == "<a = |\nb>", text
    show("completions", repr(text))


def models():
    names = [model.id for model in client.models.list()]
    assert names == ["tiny"] and client.models.retrieve("tiny").owned_by == "local"
    show("models", names)


def responses():
    first = client.responses.create(model="tiny", input="Hi", store=True)
    assert first.output_text == "Hello,\n  world!", first
    with client.responses.stream(model="tiny", input="And?", previous_response_id=first.id) as events:
        kinds = [event.type for event in events]
        final = events.get_final_response()
    assert final.output_text == "You said 2 things." and final.previous_response_id == first.id, final
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    show("responses", f"{final.output_text} ({len(kinds)} events)")


def errors():
    ask = lambda text, **more: client.chat.completions.create(
        **{"model": "tiny", "messages": [{"role": "user", "content": text}], **more}
    )
    assert fails(openai.NotFoundError, lambda: ask("Hi", model="gpt")).code == "model_not_found"
    assert fails(openai.BadRequestError, lambda: ask("Hi", frequency_penalty=1)).param == "frequency_penalty"
    assert fails(openai.RateLimitError, lambda: ask("overload")).response.headers["retry-after"] == "1"
    assert fails(openai.BadRequestError, lambda: ask("too long")).code == "context_length_exceeded"
    broken = fails(openai.APIError, lambda: list(ask("break", stream=True)))
    assert broken.code == "unavailable", broken
    wrong = openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0)
    fails(openai.AuthenticationError, wrong.models.list)
    fails(openai.BadRequestError, lambda: client.embeddings.create(model="tiny", input="a"))
    show("errors", "as they should be")


def messages():
    claude = anthropic.Anthropic(base_url=url, auth_token=token, api_key=None, max_retries=0, timeout=30)
    common = {"model": "tiny", "max_tokens": 64}
    said = [{"role": "user", "content": "Hi"}]
    answer = claude.messages.create(**common, messages=said, system="Be brief.")
    assert answer.content[0].text == "Hello,\n  world!" and answer.stop_reason == "end_turn", answer
    with claude.messages.stream(**common, messages=said) as events:
        text = "".join(events.text_stream)
        final = events.get_final_message()
    assert text == "Hello,\n  world!" and final.usage.output_tokens == 3, final
    tool = {"name": "weather", "description": "d", "input_schema": TOOL}
    answer = claude.messages.create(**common, messages=said, tools=[tool], tool_choice={"type": "any"})
    assert answer.stop_reason == "tool_use" and answer.content[0].input == {"city": "Rome"}, answer
    overload = [{"role": "user", "content": "overload"}]
    fails(anthropic.RateLimitError, lambda: claude.messages.create(**common, messages=overload))
    show("messages", repr(text))


for check in (chat, stream, tools, schema, completions, models, responses, errors, messages):
    check()
