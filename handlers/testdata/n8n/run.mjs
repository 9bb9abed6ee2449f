// Walks an n8n workflow as n8n would, as far as examples/send-n8n needs it: this is a stand-in, not n8n. It knows the
// nodes, parameters and expressions that it names here and stops at any other, so that nothing passes unread.
//
//     node run.mjs workflow.json PHONE TEXT FILE SENDING      the four words replace the values of "What to send"

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const [workflowFile, phone, text, file, sending] = process.argv.slice(2);
const workflow = JSON.parse(readFileSync(workflowFile, 'utf8'));
const typed = { phone, text, file, sending };
const outputs = {}; // of the nodes that ran, by name

function only(object, ...names) {
  const other = Object.keys(object).filter((name) => !names.includes(name));
  if (other.length) throw new Error(`the stand-in does not know ${other}`);
  return object;
}

/** An expression starts with "="; one {{ }} alone keeps its type, among text it becomes text. */
function resolve(value, $json) {
  if (typeof value !== 'string' || !value.startsWith('=')) return value;
  const evaluate = (code) =>
    new Function('$env', '$json', '$', `return (${code})`)(process.env, $json, (name) => ({ item: { json: outputs[name].json } }));
  const alone = /^=\{\{((?:(?!\}\}).)*)\}\}$/s.exec(value);
  if (alone) return evaluate(alone[1]);
  return value.slice(1).replace(/\{\{(.*?)\}\}/gs, (_, code) => String(evaluate(code)));
}

function requestBody(p, { json, binary }) {
  const fields = only(p.bodyParameters, 'parameters').parameters;
  if (p.contentType === 'json' && p.specifyBody === 'keypair') {
    const pairs = fields.map((f) => [only(f, 'name', 'value').name, resolve(f.value, json)]);
    return { type: 'application/json', body: JSON.stringify(Object.fromEntries(pairs)) };
  }
  if (p.contentType !== 'multipart-form-data') throw new Error(`contentType ${p.contentType}`);
  const form = new FormData();
  for (const f of fields) {
    if (f.parameterType === 'formBinaryData') {
      const data = binary[only(f, 'parameterType', 'name', 'inputDataFieldName').inputDataFieldName];
      form.set(f.name, new Blob([data.content]), data.fileName);
    } else if (f.parameterType === 'formData') {
      form.set(only(f, 'parameterType', 'name', 'value').name, resolve(f.value, json));
    } else {
      throw new Error(`parameterType ${f.parameterType}`);
    }
  }
  return { body: form };
}

async function httpRequest(p, input) {
  only(p, 'method', 'url', 'sendHeaders', 'headerParameters', 'sendBody', 'contentType', 'specifyBody', 'bodyParameters', 'options');
  const { timeout, redirect, response } = only(p.options, 'timeout', 'redirect', 'response');
  if (!p.sendHeaders || !p.sendBody || !response.response.neverError || response.response.responseFormat !== 'json') {
    throw new Error('the request is not set up');
  }
  const headers = new Headers(p.headerParameters.parameters.map((h) => [h.name, resolve(h.value, input.json)]));
  const { type, body } = requestBody(p, input);
  if (type) headers.set('Content-Type', type);
  const answer = await fetch(resolve(p.url, input.json), {
    method: p.method, headers, body, signal: AbortSignal.timeout(timeout),
    redirect: redirect.redirect.followRedirects ? 'follow' : 'manual',
  });
  return { json: await answer.json() };
}

const nodes = {
  manualTrigger: () => ({ json: {} }),
  set: (p) => ({ json: Object.fromEntries(p.assignments.assignments.map((a) => [a.name, typed[a.name] ?? a.value])) }),
  httpRequest,
  if: (p, input) => {
    const [condition, ...more] = p.conditions.conditions;
    const value = resolve(condition.leftValue, input.json);
    if (more.length || condition.operator.operation !== 'true' || typeof value !== 'boolean') throw new Error('not a simple condition');
    return { ...input, branch: value ? 0 : 1 };
  },
  readWriteFile: (p, input) => {
    const path = resolve(only(p, 'operation', 'fileSelector', 'options').fileSelector, input.json);
    const data = { content: readFileSync(path), fileName: basename(path) };
    return { json: { fileName: data.fileName }, binary: { [p.options.dataPropertyName]: data } };
  },
  noOp: (_, input) => input,
  stopAndError: (p, input) => {
    throw new Error(resolve(p.errorMessage, input.json));
  },
};

let node = workflow.nodes.find((n) => n.type === 'n8n-nodes-base.manualTrigger');
let input;
try {
  while (node) {
    const execute = nodes[node.type.replace(/^n8n-nodes-base\./, '')];
    if (!execute) throw new Error(`the stand-in does not know the node ${node.type}`);
    input = outputs[node.name] = await execute(node.parameters, input);
    if (node.type.endsWith('.httpRequest') && input.json.status) console.log(input.json.id);
    const next = workflow.connections[node.name]?.main[input.branch ?? 0]?.[0].node;
    if (next && outputs[next]) throw new Error(`the workflow goes in circles at ${next}`);
    node = workflow.nodes.find((n) => n.name === next);
    if (next && !node) throw new Error(`no node ${next}`);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
