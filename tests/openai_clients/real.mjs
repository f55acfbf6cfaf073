// The official npm client against `finch daemon run` and a real model: real.mjs MODULES URL TOKEN. Prints what came back,
// one line for each thing that works. What a model says is its own; what holds for any is checked.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [modules, url, token] = process.argv.slice(2);
const { default: OpenAI } = createRequire(`${modules}/package.json`)("openai");
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0, timeout: 60_000 });
const city = { type: "string", maxLength: 20 };
const parameters = { type: "object", properties: { city }, required: ["city"], additionalProperties: false };
const said = (content) => [{ role: "user", content }];
const show = (what, text) => console.log(`npm ${what}: ${text}`);

const names = [];
for await (const model of client.models.list()) names.push(model.id);
const model = names[0];
assert.equal((await client.models.retrieve(model)).owned_by, "local");
show("models", JSON.stringify(names));
const ask = (content, more = {}) => client.chat.completions.create({ model, messages: said(content), ...more });

const chat = await ask("What is the capital of Italy?", { max_tokens: 16 });
assert.match(chat.choices[0].message.content, /Rome/);
assert.ok(chat.usage.prompt_tokens > 5 && chat.usage.completion_tokens > 0 && chat.usage.completion_tokens <= 16);
show("chat", `${JSON.stringify(chat.choices[0].message.content)}, ${chat.usage.total_tokens} tokens`);

const chunks = [];
const streamed = { max_tokens: 16, stream: true, stream_options: { include_usage: true } };
for await (const chunk of await ask("Name three animals.", streamed)) chunks.push(chunk);
const pieces = chunks.map((chunk) => chunk.choices[0]?.delta?.content).filter(Boolean);
assert.ok(pieces.length > 2);
assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
assert.ok(chunks.at(-1).usage.completion_tokens > 0);
show("stream", `${JSON.stringify(pieces)}, ${chunks.at(-1).usage.total_tokens} tokens`);

const tool = { type: "function", function: { name: "weather", description: "The weather in a city", parameters } };
const wanted = { tools: [tool], tool_choice: "required", max_tokens: 100 };
const called = (await ask("What is the weather in Rome?", wanted)).choices[0];
assert.equal(called.finish_reason, "tool_calls");
const call = called.message.tool_calls[0].function;
assert.equal(call.name, "weather");
assert.deepEqual(Object.keys(JSON.parse(call.arguments)), ["city"]);
show("tools", `${call.name}(${call.arguments})`);

const json_schema = { name: "place", strict: true, schema: parameters };
const form = { response_format: { type: "json_schema", json_schema }, max_tokens: 60 };
const place = (await ask("Which city is the capital of Italy?", form)).choices[0].message.content;
assert.deepEqual(Object.keys(JSON.parse(place)), ["city"]);
show("schema", place);

const [prompt, suffix] = ["def add(a, b):\n    return", "\n\nprint(add(1, 2))\n"];
const filled = await client.completions.create({ model, prompt, suffix, max_tokens: 8, stop: ["\n"] });
assert.match(filled.choices[0].text, /a \+ b/);
assert.ok(filled.usage.completion_tokens > 0);
show("completions", JSON.stringify(filled.choices[0].text));

const kept = { model, max_output_tokens: 12 };
const first = await client.responses.create({ ...kept, input: "My name is Ada.", store: true });
const stream = client.responses.stream({ ...kept, input: "What is my name?", previous_response_id: first.id });
// An answer that reached its bound is whole in its last event alone.
let final;
for await (const event of stream) final = event.response ?? final;
const second = final.output[0].content[0].text;
assert.ok(first.output_text && second && final.usage.input_tokens > first.usage.input_tokens);
show("responses", `${JSON.stringify(first.output_text)}, then ${JSON.stringify(second)}`);

let unknown;
await assert.rejects(ask("Hi", { model: "gpt-5" }), (error) => {
  unknown = error;
  return error.status === 404 && error.code === "model_not_found";
});
await assert.rejects(ask("Hi", { max_tokens: -1 }), (error) => error.status === 400 && error.param === "max_tokens");
show("errors", unknown.error.message);
