// Makes a Postman collection of the contract, which Bruno, Insomnia and Hoppscotch import too:
//
//     node collection.mjs ../openapi.yaml ../../bin/kurir.postman_collection.json
//
// Its variables are baseUrl, key (of an instance) and adminToken; the last two are empty. Nothing in it changes from one run to the next.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import yaml from "js-yaml";
import converter from "openapi-to-postmanv2";

// For these a key is enough; what is left is the operator's.
const withKey = new Set(["WAChatPro", "Messages", "Media", "Events"]);

const auths = {
  key: { type: "apikey", apikey: [{ key: "key", value: "X-Api-Key" }, { key: "value", value: "{{key}}" }, { key: "in", value: "header" }] },
  admin: { type: "bearer", bearer: [{ key: "token", value: "{{adminToken}}" }] },
  none: { type: "noauth" },
};

/** The operations of a contract by "METHOD /path". */
export function operations(doc) {
  const all = {};
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of ["get", "head", "post", "put", "patch", "delete"]) {
      if (item[method]) all[`${method.toUpperCase()} ${path}`] = item[method];
    }
  }
  return all;
}

/** The requests of a collection by "METHOD /path", as the contract writes it. */
export function requests(collection) {
  const all = {};
  const walk = (items) => {
    for (const item of items) {
      if (item.item) walk(item.item);
      if (item.request) all[`${item.request.method} /${item.request.url.path.join("/").replace(/:(\w+)/g, "{$1}")}`] = item;
    }
  };
  walk(collection.item);
  return all;
}

/** The collection of a contract, given as YAML. */
export async function collect(text) {
  const doc = yaml.load(text);
  const collection = await convert(text);
  const known = operations(doc);
  for (const [name, item] of Object.entries(requests(collection))) {
    const operation = known[name];
    item.request.auth = (operation.security ?? doc.security).length === 0 ? auths.none : withKey.has(operation.tags[0]) ? auths.key : auths.admin;
    const { url } = item.request;
    for (const parameter of [...url.query, ...url.variable]) parameter.value = exampleOf(doc, operation, parameter.key);
    // What goes wrong is the same everywhere, and is in the contract.
    item.response = item.response.filter(({ code }) => code < 300);
    for (const { originalRequest } of item.response) originalRequest.url = url;
  }
  collection.auth = auths.admin;
  collection.variable = [
    { key: "baseUrl", value: "http://127.0.0.1:8080" },
    { key: "key", value: "", description: "Of an instance: kurir_test_… of a sandbox instance sends nothing to anybody." },
    { key: "adminToken", value: "" },
  ];
  return JSON.parse(JSON.stringify(collection, withoutIDs), withoutSecrets);
}

/** Where the contract has no example of a parameter, the converter rolls dice. */
function exampleOf(doc, operation, name) {
  const all = (operation.parameters ?? []).map((p) => (p.$ref ? doc.components.parameters[p.$ref.split("/").at(-1)] : p));
  return String(all.find((p) => p.name === name)?.example ?? "");
}

function convert(text) {
  const options = { folderStrategy: "Tags", parametersResolution: "Example", enableOptionalParameters: false, includeAuthInfoInExample: false };
  return new Promise((resolve, reject) => {
    converter.convertV2({ type: "string", data: text }, options, (err, result) => {
      if (err || !result.result) reject(err ?? new Error(result.reason));
      else resolve(result.output[0].data);
    });
  });
}

/** The converter gives random ids to the collection, its requests and their answers. */
function withoutIDs(name, value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const { id, _postman_id, ...rest } = value;
  return "request" in value || "originalRequest" in value || "item" in value ? rest : "_postman_id" in value ? { ...rest, ...(id && { id }) } : value;
}

/** Examples look like keys, so that one knows one by sight. Here the reader's own is wanted, and no scanner for leaks is to ring. */
function withoutSecrets(name, value) {
  if (typeof value !== "string") return value;
  return value.replace(/kurir_(live|test)_[0-9A-Za-z]{6,}/g, "{{key}}").replace(/whsec_[0-9A-Za-z+/=]{6,}/g, "whsec_…");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [from, to] = process.argv.slice(2);
  writeFileSync(to, JSON.stringify(await collect(readFileSync(from, "utf8")), null, 2) + "\n");
}
