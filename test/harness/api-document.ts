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
    responses: (operation as Json).responses,
  })),
);

/** Throws when the document has no such operation, status, content type, or schema for this answer. */
export async function expectDocumented(method: string, target: string, response: Response): Promise<void> {
  const problem = await whatIsUndocumented(method, target, response);
  if (problem !== null) throw new Error(`${method} ${target} -> ${response.status}: ${problem}`);
}

async function whatIsUndocumented(method: string, target: string, response: Response): Promise<string | null> {
  const responses = responsesOf(method, target);
  if (responses === null) return isNothing(method, response) ? null : 'the API document has no such operation';
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
  return type === 'application/json' ? whatIsWrong(await response.clone().json(), content.schema) : null;
}

function responsesOf(method: string, target: string): Json {
  const [path = ''] = target.split('?');
  const asked = operations.filter(({ pattern }) => pattern.test(path));
  const found = asked.find((candidate) => candidate.method === method);
  // A GET route answers HEAD, too.
  return (found ?? asked.find((candidate) => method === 'HEAD' && candidate.method === 'GET'))?.responses ?? null;
}

/** How what is no operation is answered: an unknown path, another method, a malformed target, a preflight. */
const isNothing = (method: string, { status }: Response): boolean =>
  (method === 'OPTIONS' ? [200, 404, 405] : [400, 404, 405]).includes(status);

function whatIsWrong(body: unknown, schema: Json): string | null {
  const validate = validatorOf(schema);
  if (validate(body)) return null;
  return `${ajv.errorsText(validate.errors)} in ${JSON.stringify(body).slice(0, 2_000)}`;
}

const validators = new Map<Json, ValidateFunction>();

function validatorOf(schema: Json): ValidateFunction {
  const known = validators.get(schema);
  if (known !== undefined) return known;
  const made = ajv.compile(closed(schema));
  validators.set(schema, made);
  return made;
}

/** The document lets clients meet keys that it does not know; an answer of today has none. References are resolved. */
function closed(schema: Json, isPart = false): Json {
  if (Array.isArray(schema)) return schema.map((item) => closed(item, isPart));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $ref, ...rest } = schema;
  if ($ref !== undefined) {
    const name = String($ref).replace('#/components/schemas/', '');
    return closed({ ...apiDocument.components.schemas[name], ...rest }, isPart);
  }
  const entries = Object.entries(rest).map(([key, value]) => [key, closedPart(key, value)]);
  const isOpen = isPart || rest.additionalProperties !== undefined;
  const mayClose = !isOpen && (rest.properties !== undefined || rest.allOf !== undefined);
  return { ...Object.fromEntries(entries), ...(mayClose ? { unevaluatedProperties: false } : {}) };
}

function closedPart(key: string, value: Json): Json {
  if (key === 'examples' || key === 'example') return value;
  if (key !== 'properties') return closed(value, key === 'allOf');
  return Object.fromEntries(Object.entries(value).map(([name, property]) => [name, closed(property)]));
}
