"""The official Python clients against `finch daemon run` and a real model: real.py URL TOKEN.

Prints what came back, one line for each thing that works. What a model says is its own; what holds for any is checked.
"""

import json
import sys

import anthropic
import openai

from told import fails, show

url, token = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0, timeout=60)
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = "The weather in a city"


def said(text):
    return [{"role": "user", "content": text}]


def models():
    names = [model.id for model in client.models.list()]
    assert client.models.retrieve(names[0]).owned_by == "local"
    show("models", names)
    return names[0]


model = models()


def chat():
    answer = client.chat.completions.create(model=model, messages=said("What is the capital of Italy?"), max_tokens=16)
    text, usage = answer.choices[0].message.content, answer.usage
    assert "Rome" in text and answer.choices[0].finish_reason in ("stop", "length"), answer
    assert usage.prompt_tokens > 5 and 0 < usage.completion_tokens <= 16, usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    show("chat", f"{text!r}, {usage.total_tokens} tokens")


def stream():
    chunks = list(
        client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": [{"type": "text", "text": "Name three colours."}]}],
            max_tokens=16,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(pieces) > 2, pieces
    assert len({chunk.id for chunk in chunks}) == 1 and chunks[0].choices[0].delta.role == "assistant"
    usage = chunks[-1].usage
    assert usage.prompt_tokens > 5 and 0 < usage.completion_tokens <= 16 and chunks[-1].choices == [], usage
    show("stream", f"{pieces}, {usage.total_tokens} tokens")


def tools():
    tool = {"type": "function", "function": {"name": "weather", "description": WEATHER, "parameters": CITY}}
    messages = said("What is the weather in Rome?")
    answer = client.chat.completions.create(
        model=model, messages=messages, tools=[tool], tool_choice="required", max_tokens=100
    )
    call = answer.choices[0].message.tool_calls[0]
    arguments = json.loads(call.function.arguments)
    assert answer.choices[0].finish_reason == "tool_calls" and call.function.name == "weather", answer
    assert set(arguments) == {"city"} and isinstance(arguments["city"], str), arguments
    messages += [answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny, 24 degrees"}]
    answer = client.chat.completions.create(
        model=model, messages=messages, tools=[tool], tool_choice="none", max_tokens=24
    )
    text = answer.choices[0].message.content
    assert text and not answer.choices[0].message.tool_calls, answer
    show("tools", f"weather({call.function.arguments}), then {text!r}")


def schema():
    form = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": CITY}}
    answer = client.chat.completions.create(
        model=model, messages=said("Which city is the capital of Italy?"), response_format=form, max_tokens=60
    )
    place = json.loads(answer.choices[0].message.content)
    assert set(place) == {"city"} and isinstance(place["city"], str) and len(place["city"]) <= 20, place
    show("schema", answer.choices[0].message.content)


def completions():
    answer = client.completions.create(
        model=model, prompt="def add(a, b):\n    return", suffix="\n\nprint(add(1, 2))\n", max_tokens=8, stop=["\n"]
    )
    text = answer.choices[0].text
    assert "a + b" in text and "\n" not in text, answer
    assert answer.usage.prompt_tokens > 5 and 0 < answer.usage.completion_tokens <= 8, answer.usage
    show("completions", repr(text))


def responses():
    first = client.responses.create(model=model, input="My name is Ada.", store=True, max_output_tokens=12)
    assert first.output_text and first.usage.output_tokens > 0, first
    more = {"model": model, "previous_response_id": first.id, "max_output_tokens": 12}
    with client.responses.stream(input="What is my name?", **more) as events:
        kinds = []
        for event in events:
            kinds.append(event.type)
    # An answer that reached its bound is whole in its last event alone.
    final = event.response
    assert final.output_text and final.usage.input_tokens > first.usage.input_tokens, final
    assert kinds[0] == "response.created" and kinds[-1] in ("response.completed", "response.incomplete"), kinds
    show("responses", f"{first.output_text!r}, then {final.output_text!r}")


def messages():
    claude = anthropic.Anthropic(base_url=url, auth_token=token, api_key=None, max_retries=0, timeout=60)
    common = {"model": model, "max_tokens": 16, "messages": said("What is the capital of Italy?")}
    answer = claude.messages.create(**common, system="Be brief.")
    assert answer.content[0].text and answer.stop_reason in ("end_turn", "max_tokens"), answer
    assert answer.usage.input_tokens > 5 and 0 < answer.usage.output_tokens <= 16, answer.usage
    with claude.messages.stream(**common, system="Be brief.") as events:
        text = "".join(events.text_stream)
        final = events.get_final_message()
    assert text == final.content[0].text != "" and final.usage.output_tokens > 0, final
    tool = {"name": "weather", "description": WEATHER, "input_schema": CITY}
    asked = {**common, "max_tokens": 100, "messages": said("What is the weather in Rome?")}
    call = claude.messages.create(**asked, tools=[tool], tool_choice={"type": "any"})
    use = next(block for block in call.content if block.type == "tool_use")
    assert call.stop_reason == "tool_use" and set(use.input) == {"city"}, call
    show("messages", f"{text!r}, then {use.name}({json.dumps(use.input)})")


def errors():
    ask = lambda **more: client.chat.completions.create(**{"model": model, "messages": said("Hi"), **more})
    unknown = fails(openai.NotFoundError, lambda: ask(model="gpt-5"))
    assert unknown.code == "model_not_found", unknown
    assert fails(openai.BadRequestError, lambda: ask(max_tokens=-1)).param == "max_tokens"
    assert fails(openai.BadRequestError, lambda: ask(frequency_penalty=1)).param == "frequency_penalty"
    long = fails(openai.BadRequestError, lambda: ask(messages=said("word " * 20000)))
    assert long.code == "context_length_exceeded", long
    wrong = openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0)
    fails(openai.AuthenticationError, wrong.models.list)
    show("errors", unknown.body["message"])


for check in (chat, stream, tools, schema, completions, responses, messages, errors):
    check()
