/**
 * The API document (OpenAPI 3.1), made of what stands beside each route: the schemas that read requests, those that
 * type answers, and the table of refusals.
 */
import { z } from 'zod';
import { productVersion } from '../domain/version.ts';
import { type Answer, answerOf, faultBody } from './answer-failure.ts';
import { describedRefusals, refusalsOf } from './describe-refusals.ts';
import { pathParameters, securitySchemes, tags } from './openapi-parts.ts';
import type { DescribedAnswer, Operation } from './operation.ts';
import type { HttpFailure } from './refusal.ts';
import type { Route } from './route.ts';
import { withoutUndefined } from './session-fields.ts';
import { channelError, errorResponse } from './wire-schemas.ts';

type Json = Record<string, unknown>;

/** Named schemas that operations refer to, by name. */
type Components = Map<string, Json>;

export function openApiDocument(routes: readonly Route[]): Json {
  const schemas: Components = new Map();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationJson(route, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Perdure',
      version: productVersion,
      description:
        'Durable sessions: an identity with two append-only record streams that outlives the runs that serve it. Speaks the Trigger.dev Sessions API.',
      license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This server.' }],
    security: [],
    tags,
    paths,
    components: { schemas: Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1))), securitySchemes },
  };
}

function operationJson(route: Route, schemas: Components): Json {
  const { id, tag, summary, description, query, headers } = route.operation;
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? '');
  const path = z.object(Object.fromEntries(names.map((name) => [name, pathParameters(name)])));
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: securityOf(route.credential),
    parameters: [
      ...parametersJson('path', path, schemas),
      ...parametersJson('query', query, schemas),
      ...parametersJson('header', headers, schemas),
    ],
    ...bodyJson(route.operation, schemas),
    responses: answersJson(route, schemas),
  };
}

function securityOf(credential: Route['credential']): readonly Json[] {
  switch (credential) {
    case 'none':
      return [];
    case 'secret':
    case 'scoped secret':
      return [{ secretKey: [] }];
    case 'secret or public':
      return [{ secretKey: [] }, { publicAccessToken: [] }];
  }
}

function parametersJson(place: string, fields: z.ZodObject | undefined, schemas: Components): readonly Json[] {
  if (fields === undefined) return [];
  const { properties, required = [] } = schemaJson(fields, schemas) as {
    properties: Record<string, Json>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => {
    const isList = schema['type'] === 'array';
    return withoutUndefined({
      name,
      in: place,
      description,
      required: required.includes(name),
      // A list is one parameter, its values joined by commas.
      style: isList ? 'form' : undefined,
      explode: isList ? false : undefined,
      schema,
    });
  });
}

function bodyJson({ body }: Operation, schemas: Components): Json {
  if (body === undefined) return {};
  if ('rawBytesMax' in body) {
    const description = `At most ${body.rawBytesMax} bytes, stored as they are.`;
    const content = Object.fromEntries(body.types.map((type) => [type, { schema: {} }]));
    // No bytes are a body, too.
    return { requestBody: { description, required: false, content } };
  }
  return {
    requestBody: {
      description: `At most ${body.bytesMax} bytes.`,
      required: body.whenEmpty === undefined,
      content: { 'application/json': { schema: schemaJson(body.schema, schemas) } },
    },
  };
}

function answersJson(route: Route, schemas: Components): Json {
  const refusals = refusalsOf(route).map((code) => ({ code, answer: answerOf(describedRefusals[code].sample) }));
  const { answers: said } = route.operation;
  const statuses = new Set([...Object.keys(said).map(Number), ...refusals.map(({ answer }) => answer.status)]);
  const answers = [...statuses].map((status) => {
    const refused = refusals.filter(({ answer }) => answer.status === status);
    return [status, answerJson({ said: said[status], refused, hasBody: route.method !== 'HEAD' }, schemas)] as const;
  });
  const fault = {
    description: 'A fault of the server; nothing more is told.',
    ...(route.method === 'HEAD' ? {} : { content: faultContent(route, schemas) }),
  };
  return Object.fromEntries([...answers, [500, fault]]);
}

interface OneStatus {
  readonly said: DescribedAnswer | undefined;
  readonly refused: Refusals;
  readonly hasBody: boolean;
}

function answerJson({ said, refused, hasBody }: OneStatus, schemas: Components): Json {
  const headers = [said?.headers, refusalHeaders(refused)].flatMap((fields) => headersJson(fields, schemas));
  const content = {
    ...(said?.schema === undefined
      ? {}
      : { [said.type ?? 'application/json']: { schema: schemaJson(said.schema, schemas) } }),
    ...refusalContent(refused, schemas),
  };
  return {
    description: said?.description ?? refused.map(({ answer }) => sentenceOf(answer)).join(' / '),
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
    ...(hasBody && Object.keys(content).length > 0 ? { content } : {}),
  };
}

type Refusals = readonly { readonly code: HttpFailure['code']; readonly answer: Answer }[];

const sentenceOf = ({ body }: Answer): string => (typeof body === 'string' ? body : body.error);

/** One schema for each form that a body of this status can have, and every body as an example. */
function refusalContent(refusals: Refusals, schemas: Components): Json {
  const content: Record<string, Json> = {};
  for (const type of new Set(refusals.map(({ code }) => typeOf(code)))) {
    const told = refusals.filter(({ code }) => typeOf(code) === type);
    const forms = [...new Set(told.map(({ code }) => describedRefusals[code].schema ?? z.string()))].map((schema) =>
      schemaJson(schema, schemas),
    );
    const examples = Object.fromEntries(told.map(({ code, answer }) => [code, { value: answer.body }]));
    content[type] = { schema: forms.length === 1 ? forms[0] : { anyOf: forms }, examples };
  }
  return content;
}

const typeOf = (code: HttpFailure['code']): string =>
  describedRefusals[code].schema === null ? 'text/plain' : 'application/json';

/** None is required: a status can have refusals with and without it. */
function refusalHeaders(refusals: Refusals): z.ZodObject {
  const sent = refusals.flatMap(({ answer }) => Object.entries(answer.headers ?? {}));
  return z.object(Object.fromEntries(sent.map(([name, value]) => [name, refusalHeader(name, value).optional()])));
}

/** A moment is no example: it would make each document another one. */
const refusalHeader = (name: string, value: string): z.ZodType =>
  name.endsWith('-reset') ? z.string() : z.string().meta({ examples: [value] });

function headersJson(fields: z.ZodObject | undefined, schemas: Components): readonly (readonly [string, Json])[] {
  return parametersJson('header', fields, schemas).map(({ name, in: _place, ...header }) => [String(name), header]);
}

function faultContent({ faultBody: own }: Route, schemas: Components): Json {
  const schema = own?.ok === false ? channelError : errorResponse;
  return { 'application/json': { schema: schemaJson(schema, schemas), example: own ?? faultBody } };
}

/** What a schema takes, not what it makes of it. Named schemas move to the components. */
function schemaJson(schema: z.ZodType, schemas: Components): Json {
  // Inside an object, a named schema is a reference like everywhere else.
  const { properties, $defs } = z.toJSONSchema(z.object({ schema }), {
    io: 'input',
    unrepresentable: 'any',
    // The format says it; the pattern that zod adds is for machines without formats.
    override: ({ jsonSchema }) => {
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
    },
  });
  for (const [name, definition] of Object.entries($defs ?? {})) addComponent(schemas, name, definition);
  return withComponentRefs(properties?.['schema'] as Json);
}

function addComponent(schemas: Components, name: string, definition: unknown): void {
  const json = withComponentRefs(definition as Json);
  const known = schemas.get(name);
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(json)) {
    throw new Error(`two schemas are called ${name}`);
  }
  schemas.set(name, json);
}

function withComponentRefs(json: Json): Json {
  return JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json;
}
