/** What many operations of the API document share. */
import { z } from 'zod';
import { runIdPattern } from '../domain/ids.ts';

export const tags = [
  { name: 'sessions', description: 'Durable identities, and their life.' },
  { name: 'channels', description: 'The two streams of a session, `in` and `out`, and its named side channels.' },
  { name: 'runs', description: 'Executions of the task that serves a session.' },
  { name: 'tokens', description: 'Public tokens for browsers.' },
  { name: 'server', description: 'Health, and this document.' },
] as const;

export const securitySchemes = {
  secretKey: {
    type: 'http',
    scheme: 'bearer',
    description:
      'A secret key of an environment: `tr_dev_...`, `tr_stg_...`, `tr_prod_...`, `tr_preview_...`. For servers.',
  },
  publicAccessToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description:
      'A short-lived JWT that can only do what its scopes grant, for example `read:sessions:{id}` and `write:sessions:{id}`: the `publicAccessToken` of a created session, or one made of `POST /api/v1/auth/public-tokens`. Safe to embed in browsers.',
  },
} as const;

const known: Readonly<Record<string, z.ZodType>> = {
  session: z
    .string()
    .min(1)
    .meta({
      description: 'Id (`session_...`) or external id of the session, percent-encoded.',
      examples: ['chat_1234'],
    }),
  io: z.enum(['in', 'out']).meta({ description: 'Direction, as the task sees it.' }),
  channel: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/)
    .meta({ description: 'Name of a side channel.' }),
  asset: z.string().meta({ description: 'Name of the file.' }),
  waitpoint: z.string().meta({ description: 'Id of the waitpoint.', examples: ['waitpoint_ghi789'] }),
  run: z
    .string()
    .regex(runIdPattern)
    .meta({ description: 'Id of the run.', examples: ['run_def456'] }),
};

/** A segment of a path, by its name. */
export function pathParameters(name: string): z.ZodType {
  const schema = known[name];
  if (schema === undefined) throw new Error(`the API document has no words for the path segment {${name}}`);
  return schema;
}
