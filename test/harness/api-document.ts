/** Holds real answers against the API document: what it does not declare, no test may see. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { routesOf } from '../../src/http/app.ts';
import type { HttpParts } from '../../src/http/http-parts.ts';
import { openApiDocument } from '../../src/http/openapi.ts';

// biome-ignore lint: JSON of any shape; the document's own test says that it is OpenAPI.
type Json = any;

/** Routes need their parts only when they answer. */
export const apiDocument: Json = openApiDocument(routesOf({} as HttpParts));

const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);

/** One for each method of each path. */
export const operations = Object.entries(apiDocument.paths).flatMap(([path, methods]) =>
  Object.entries(methods as Json).map(([method, operation]) => ({
    method: method.toUpperCase(),
    path,
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
    id: (operation as Json).operationId as string,
    tags: (operation as Json).tags as string[],
    needsCredential: (operation as Json).security.length > 0,
    requestBody: (operation as Json).requestBody,
    responses: (operation as Json).responses,
  })),
);

/** Throws when the document has no such operation, status, content type, or schema for this answer. */
export async function expectDocumented(method: string, target: string, response: Response): Promise<void> {
  const problem = await whatIsUndocumented(method, target, response);
  if (problem !== null) throw new Error(`${method} ${target} -> ${response.status}: ${problem}`);
}

/** Throws when the document's schema of the request does not take a body that the server took. */
export function expectDocumentedRequest(method: string, target: string, body: string): void {
  const schema = operationOf(method, target)?.requestBody?.content['application/json']?.schema ?? {};
  // A raw body is any text.
  const problem =
    Object.keys(schema).length === 0 || body === '' ? null : whatIsWrong(JSON.parse(body), schema, 'open');
  if (problem !== null) throw new Error(`${method} ${target}: ${problem}`);
}

async function whatIsUndocumented(method: string, target: string, response: Response): Promise<string | null> {
  const responses = operationOf(method, target)?.responses;
  if (responses === undefined) return isNothing(method, response) ? null : 'the API document has no such operation';
  const declared = responses[String(response.status)];
  if (declared === undefined) return 'the API document declares no such status';
  const { content } = declared;
  if (method === 'HEAD' || (content === undefined && response.body === null)) return null;
  return whatIsWrongIn(response, content ?? {});
}

async function whatIsWrongIn(response: Response, declared: Json): Promise<string | null> {
  const [type = ''] = (response.headers.get('content-type') ?? '').split(';');
  const content = declared[type] ?? declared[type.replace(/\/.*/, '/*')] ?? declared['*/*'];
  if (content === undefined) return `the API document declares no ${type || 'empty'} body`;
  return type === 'application/json' ? whatIsWrong(await response.clone().json(), content.schema, 'closed') : null;
}

function operationOf(method: string, target: string): (typeof operations)[number] | undefined {
  const [path = ''] = target.split('?');
  const asked = operations.filter(({ pattern }) => pattern.test(path));
  const found = asked.find((candidate) => candidate.method === method);
  // A GET route answers HEAD, too.
  return found ?? asked.find((candidate) => method === 'HEAD' && candidate.method === 'GET');
}

/** How what is no operation is answered: an unknown path, another method, a malformed target, a preflight. */
const isNothing = (method: string, { status }: Response): boolean =>
  (method === 'OPTIONS' ? [200, 404, 405] : [400, 404, 405]).includes(status);

/** Whether keys that the schema does not name are wrong. */
type Keys = 'closed' | 'open';

function whatIsWrong(body: unknown, schema: Json, keys: Keys): string | null {
  const validate = validatorOf(schema, keys);
  if (validate(body)) return null;
  return `${ajv.errorsText(validate.errors)} in ${JSON.stringify(body).slice(0, 2_000)}`;
}

const validators = new Map<Json, ValidateFunction>();

function validatorOf(schema: Json, keys: Keys): ValidateFunction {
  const known = validators.get(schema);
  if (known !== undefined) return known;
  const made = ajv.compile(resolved(schema, keys));
  validators.set(schema, made);
  return made;
}

/** The document lets clients meet keys that it does not know; an answer of today has none. References are resolved. */
function resolved(schema: Json, keys: Keys, isPart = false): Json {
  if (Array.isArray(schema)) return schema.map((item) => resolved(item, keys, isPart));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $ref, ...rest } = schema;
  if ($ref !== undefined) {
    const name = String($ref).replace('#/components/schemas/', '');
    return resolved({ ...apiDocument.components.schemas[name], ...rest }, keys, isPart);
  }
  const entries = Object.entries(rest).map(([key, value]) => [key, resolvedPart(key, value, keys)]);
  const closes = keys === 'closed' && !isPart && namesItsKeys(rest);
  return { ...Object.fromEntries(entries), ...(closes ? { unevaluatedProperties: false } : {}) };
}

const namesItsKeys = (schema: Json): boolean =>
  schema.additionalProperties === undefined && (schema.properties !== undefined || schema.allOf !== undefined);

function resolvedPart(key: string, value: Json, keys: Keys): Json {
  if (key === 'examples' || key === 'example') return value;
  if (key !== 'properties') return resolved(value, keys, key === 'allOf');
  return Object.fromEntries(Object.entries(value).map(([name, property]) => [name, resolved(property, keys)]));
}
