import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import yaml from "js-yaml";
import { collect, operations, requests } from "./collection.mjs";

const text = readFileSync(new URL("../openapi.yaml", import.meta.url), "utf8");
const known = operations(yaml.load(text));

test("every operation is in the collection, and nothing else", async () => {
  const found = requests(await collect(text));
  assert.ok(Object.keys(known).length > 50);
  assert.deepEqual(Object.keys(found).sort(), Object.keys(known).sort());
});

test("no secret is in it, but variables that are empty", async () => {
  const collection = await collect(text);
  const whole = JSON.stringify(collection);
  assert.doesNotMatch(whole, /kurir_(live|test)_\w|whsec_\w|Bearer [\w-]{8}/);
  const values = Object.fromEntries(collection.variable.map(({ key, value }) => [key, value]));
  assert.deepEqual(values, { baseUrl: "http://127.0.0.1:8080", key: "", adminToken: "" });
  const variables = new Set([...whole.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name));
  assert.deepEqual([...variables].sort(), ["adminToken", "baseUrl", "key"]);
  for (const [name, { request }] of Object.entries(requests(collection))) {
    const secret = { apikey: "{{key}}", bearer: "{{adminToken}}", noauth: undefined };
    const given = request.auth[request.auth.type]?.find(({ key }) => key === "value" || key === "token")?.value;
    assert.ok(request.auth.type in secret && given === secret[request.auth.type], `${name}: ${JSON.stringify(request.auth)}`);
  }
});

test("a request can be sent as it is", async () => {
  const { request, response } = requests(await collect(text))["POST /wa/send"];
  assert.deepEqual(JSON.parse(request.body.raw), { key: "{{key}}", phone: 6281234567890, body: "Halo dari kurir" });
  assert.equal(request.auth.type, "apikey");
  assert.ok(request.header.every(({ key, disabled }) => disabled || ["Content-Type", "Accept"].includes(key)), JSON.stringify(request.header));
  assert.deepEqual([...new Set(response.map(({ code }) => code))], [200]);
});

test("it is the same each time", async () => {
  assert.deepEqual(await collect(text), await collect(text));
});
