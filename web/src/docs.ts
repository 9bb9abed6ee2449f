// The script of GET /docs: shows the contract in Swagger UI, which is in a file of its own, as npm has it.
interface Outgoing {
  url: string;
  headers?: Record<string, string>;
  body?: unknown;
}
declare const SwaggerUIBundle: (options: object) => unknown;

// The key in the contract's examples.
const exampleKey = "kurir_test_0123456789abcdef";

/** The examples of /wa/* have the key in the body, as WAChatPro's callers do; it is the reader's own that is to be tried. */
function withOwnKey(request: Outgoing): Outgoing {
  const headers = request.headers ?? {};
  const key = headers["X-Api-Key"] ?? /^Bearer (.+)$/.exec(headers["Authorization"] ?? "")?.[1];
  if (!key) return request;
  const { body } = request;
  if (body instanceof FormData) {
    for (const [name, value] of [...body]) if (typeof value === "string") body.set(name, value.replaceAll(exampleKey, key));
  } else if (typeof body === "string") {
    const form = headers["Content-Type"]?.startsWith("application/x-www-form-urlencoded");
    request.body = body.replaceAll(exampleKey, () => (form ? encodeURIComponent(key) : JSON.stringify(key).slice(1, -1)));
  }
  return request;
}

const scheme = matchMedia("(prefers-color-scheme: dark)");
const dark = (): unknown => document.documentElement.classList.toggle("dark-mode", scheme.matches);
scheme.addEventListener("change", dark);
dark();

SwaggerUIBundle({
  url: "/openapi.yaml",
  domNode: document.getElementById("docs"),
  // Whoever sends somebody a link must not choose what is shown, and a key stays in this page alone.
  queryConfigEnabled: false,
  persistAuthorization: false,
  validatorUrl: null,
  deepLinking: false,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  requestInterceptor: withOwnKey,
});
