// The official npm client against a finch daemon: ask.mjs MODULES URL TOKEN. Prints a line for each thing that works.
// The model behind the daemon is scripted (server/finch-http/tests/official_clients.rs), so that every answer is known.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [modules, url, token] = process.argv.slice(2);
const { default: OpenAI } = createRequire(`${modules}/package.json`)("openai");
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0, timeout: 30_000 });
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const said = (content) => [{ role: "user", content }];
const show = (what, text) => console.log(`npm ${what}: ${text}`);
const ask = (content, more = {}) =>
  client.chat.completions.create({ model: "tiny", messages: said(content), ...more });

const chat = await ask("Hi");
assert.equal(chat.choices[0].message.content, "Hello,\n  world!");
assert.equal(chat.usage.total_tokens, 10);
show("chat", JSON.stringify(chat.choices[0].message.content));

const chunks = [];
for await (const chunk of await ask("Hi", { stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
const text = chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");
assert.equal(text, "Hello,\n  world!");
assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
assert.equal(chunks.at(-1).usage.prompt_tokens, 7);
show("stream", `${chunks.length} chunks`);

const tool = { type: "function", function: { name: "weather", parameters } };
const called = (await ask("Weather?", { tools: [tool], tool_choice: "required" })).choices[0];
assert.equal(called.finish_reason, "tool_calls");
assert.deepEqual(JSON.parse(called.message.tool_calls[0].function.arguments), { city: "Rome" });
show("tools", called.message.tool_calls[0].function.arguments);

const json_schema = { name: "place", strict: true, schema: parameters };
const place = await ask("Where?", { response_format: { type: "json_schema", json_schema } });
assert.deepEqual(JSON.parse(place.choices[0].message.content), { city: "Rome" });
show("schema", place.choices[0].message.content);

const filled = await client.completions.create({ model: "tiny", prompt: "a = ", suffix: "\nb", max_tokens: 8 });
assert.equal(filled.choices[0].text, "<a = |\nb>");
show("completions", JSON.stringify(filled.choices[0].text));

const names = [];
for await (const model of client.models.list()) names.push(model.id);
assert.deepEqual(names, ["tiny"]);
show("models", names);

const first = await client.responses.create({ model: "tiny", input: "Hi", store: true });
const stream = client.responses.stream({ model: "tiny", input: "And?", previous_response_id: first.id });
assert.equal((await stream.finalResponse()).output_text, "You said 2 things.");
show("responses", "You said 2 things.");

await assert.rejects(ask("Hi", { model: "gpt" }), (error) => error.status === 404 && error.code === "model_not_found");
await assert.rejects(ask("Hi", { logprobs: true }), (error) => error.status === 400 && error.param === "logprobs");
await assert.rejects(ask("overload"), OpenAI.RateLimitError);
await assert.rejects(async () => {
  for await (const _ of await ask("break", { stream: true }));
}, OpenAI.APIError);
show("errors", "as they should be");
